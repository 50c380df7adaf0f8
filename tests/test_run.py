"""Do run() and train() refuse what they cannot use, and leave nothing behind?

Their numbers, and so the order of documents and draws, are in test_same_numbers.
"""

import contextlib
import dataclasses
import gc
import io
import sys
import unittest
from unittest import mock

import microgpt
from microgpt import Settings, Tokenizer, Value, tape, train
from tests import start

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}


class Run(unittest.TestCase):
    def output(self, *args):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            microgpt.run(*args)
        return out.getvalue()

    def test_takes_any_iterable_of_texts_and_leaves_it_alone(self):
        docs, settings = ["ab", "c", "ba"], Settings(**SMALL, num_steps=2)
        expected = self.output(docs, settings)
        self.assertEqual(docs, ["ab", "c", "ba"])
        for others in (tuple(docs), (doc for doc in docs), dict.fromkeys(docs)):
            self.assertEqual(self.output(others, settings), expected)

    def test_refuses_what_cannot_be_used_before_any_work(self):
        for docs, prompt, words in (
            (["abc"], "x", "'x'"),
            (["abc"], "abca", "block_size"),
            ([], "", "docs must be a list"),
            ((doc for doc in []), "", "docs must be a list"),
            ("text", "", "docs must be a list"),
        ):
            silence = mock.patch("builtins.print", side_effect=AssertionError)
            with silence, self.assertRaisesRegex(ValueError, words):
                microgpt.run(docs, Settings(**SMALL), prompt)

    def test_settings_are_checked_and_cannot_be_changed(self):
        settings = Settings(n_embd=12)
        for name in ("n_head", "nlayer"):
            with self.assertRaises((AttributeError, TypeError)):
                setattr(settings, name, 3)
        self.assertEqual(dataclasses.replace(settings, n_head=3), Settings(n_embd=12, n_head=3))
        self.assertRaises(ValueError, dataclasses.replace, settings, n_head=5)

    def test_sample_composes_a_prompt(self):
        state_dict, tokenizer, _, settings, rng = start(["caf\u00e9s"], n_embd=4, n_head=2)
        doc = microgpt.sample(state_dict, tokenizer, settings, rng, "cafe\u0301")
        self.assertEqual(doc[:4], "caf\u00e9")


class Train(unittest.TestCase):
    def setUp(self):
        self.addCleanup(tape.clear)

    def test_train_encodes_no_more_of_a_document_than_it_trains_on(self):
        encoded = []

        class Watched(Tokenizer):
            def encode(self, doc):
                encoded.append(len(doc))
                return super().encode(doc)

        state_dict, _, docs, settings, _ = start(["ab" * 500_000], **SMALL, num_steps=1)
        next(train(state_dict, Watched(docs), docs, settings))
        self.assertLessEqual(max(encoded), settings.block_size + 1)

    def test_train_after_an_interrupted_run_is_a_fresh_start(self):
        """Ctrl-C, as in a notebook, at any line of a forward or a backward pass."""
        state_dict, tokenizer, docs, settings, _ = start(["ab"], **SMALL, num_steps=1)
        params = [p for matrix in state_dict.values() for row in matrix for p in row]
        untrained, trained, seen = [p.data for p in params], [], set()

        def interrupt(frame, event, arg):
            line = frame.f_code.co_filename, frame.f_lineno
            if event == "line" and line[0] == microgpt.__file__ and line not in seen:
                seen.add(line)
                raise KeyboardInterrupt
            return interrupt

        self.addCleanup(sys.settrace, sys.gettrace())
        interrupted = True
        while interrupted:  # at one line after the other
            sys.settrace(interrupt)
            try:
                microgpt.document_loss(state_dict, tokenizer.encode("ab"), settings).backward()
                interrupted = False
            except KeyboardInterrupt:
                pass
            sys.settrace(None)
            a = Value(3.0)
            (a * 2).backward()
            self.assertEqual(a.grad, 2.0)
            params[0].grad = params[-1].grad = float(len(trained))  # as it may leave behind, too
            next(train(state_dict, tokenizer, docs, settings))
            trained.append([p.data for p in params])
            self.assertEqual(trained[-1], trained[0])
            for p, data in zip(params, untrained):
                p.data = data
        self.assertGreater(len(trained), 70)

    @unittest.skipIf(sys.implementation.name != "cpython", "only CPython frees a graph at once")
    def test_train_frees_a_graph_before_the_next_is_built(self):
        state_dict, tokenizer, docs, settings, _ = start(["ab"], **SMALL, num_steps=4)
        document_loss, alive = microgpt.document_loss, []

        def watched(*args):
            alive.append(sum(type(thing) is Value for thing in gc.get_objects()))
            return document_loss(*args)

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        with mock.patch.object(microgpt, "document_loss", watched):
            list(train(state_dict, tokenizer, docs, settings))
        self.assertEqual(alive, [alive[0]] * 4)
