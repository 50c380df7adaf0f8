"""Does training take the documents in their order, leave nothing behind, and survive Ctrl-C?

Its numbers are those of the naive program: test_same_numbers.
"""

import gc
import itertools
import sys
import unittest
from unittest import mock

import microgpt
from microgpt import Tokenizer, Value, tape, train
from tests import parameters, start

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}


class Training(unittest.TestCase):
    def setUp(self):
        self.addCleanup(tape.clear)

    def test_takes_one_document_after_the_other_again_and_again(self):
        docs = ("ab", "c", "ba")
        losses = []
        for order in (docs, ("c", "ba", "ab")):
            state_dict, tokenizer, _, settings, _ = start(docs, **SMALL, lr=1e-300, num_steps=7)
            losses.append(list(train(state_dict, tokenizer, order, settings)))
        self.assertEqual(losses[0][1:], losses[1][:-1])
        self.assertEqual([len(set(losses[0])), len(losses[0])], [3, 7])

    def test_encodes_no_more_of_a_document_than_it_trains_on(self):
        encoded = []

        class Watched(Tokenizer):
            def encode(self, doc):
                encoded.append(len(doc))
                return super().encode(doc)

        state_dict, _, docs, settings, _ = start(["ab" * 500_000], **SMALL, num_steps=1)
        next(train(state_dict, Watched(docs), docs, settings))
        self.assertLessEqual(max(encoded), settings.block_size + 1)

    def test_leaves_no_gradient_and_no_tape(self):
        state_dict, tokenizer, docs, settings, _ = start(["ab"], **SMALL, num_steps=2)
        for _ in train(state_dict, tokenizer, docs, settings):
            self.assertEqual({p.grad for p in parameters(state_dict).values()}, {0.0})
            self.assertEqual(tape, [])

    def test_after_an_interrupted_run_is_that_of_a_fresh_start(self):
        """Ctrl-C half way through a backward pass, as in a notebook; then training goes on."""
        trained = []
        for interruption in (False, True):
            state_dict, tokenizer, _, settings, _ = start(["abc"], **SMALL, num_steps=1)
            if interruption:
                loss = microgpt.document_loss(state_dict, tokenizer.encode("cab"), settings)
                node = tape[len(tape) // 2]
                node._backprop = mock.Mock(side_effect=RuntimeError)
                self.assertRaises(RuntimeError, loss.backward)
                self.assertTrue(any(p.grad for p in parameters(state_dict).values()))
                tape.clear()
            next(train(state_dict, tokenizer, ["ab"], settings))
            trained.append([p.data for p in parameters(state_dict).values()])
        self.assertEqual(*trained)

    @unittest.skipIf(sys.implementation.name != "cpython", "only CPython frees a graph at once")
    def test_frees_a_graph_before_the_next_is_built(self):
        state_dict, tokenizer, docs, settings, _ = start(["ab"], **SMALL, num_steps=4)
        document_loss, alive = microgpt.document_loss, []

        def watched(*args):
            alive.append(sum(type(thing) is Value for thing in gc.get_objects()))
            return document_loss(*args)

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        with mock.patch.object(microgpt, "document_loss", watched):
            for _ in itertools.islice(train(state_dict, tokenizer, docs, settings), 4):
                pass
        self.assertEqual(alive, [alive[0]] * 4)
