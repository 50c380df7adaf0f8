"""Do run(), train() and sample() refuse what they cannot use, and leave nothing behind?

Their numbers, and so the order of all draws, are in test_same_numbers.
"""

import contextlib
import dataclasses
import doctest
import gc
import io
import sys
import unittest
from itertools import chain, repeat
from unittest import mock

from support import parameters, run_python, untrained

import microgpt
from microgpt import Settings, Tokenizer, Value, tape, train

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}

IMPORT = """
import gc, random, sys
def hook(event, args):
    files = event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".pyd"))
    assert not files and not event.startswith("socket."), (event, args)
state = random.getstate()
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import microgpt
assert gc.isenabled(), "the collector is off"
microgpt.run(["a", "b", "c", "d", "e"], microgpt.Settings(num_steps=2, seed=1))
assert random.getstate() == state, "a draw was a global one"
"""


class Import(unittest.TestCase):
    def test_opens_no_file_and_no_connection_and_draws_nothing(self):
        self.assertEqual(run_python("-c", IMPORT).stderr, b"")

    @unittest.skipIf(sys.flags.optimize > 1, "there are no docstrings")
    def test_brings_docstrings_whose_examples_hold(self):
        failed, attempted = doctest.testmod(microgpt)
        self.assertTrue(attempted and not failed)


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

    def test_tells_after_how_many_steps_it_diverged(self):
        for losses, step in (([], 0), ([Value(1.0), Value(2.0)], 2)):
            failing = mock.Mock(side_effect=[*losses, ValueError("log of 0")])
            told = self.assertRaisesRegex(FloatingPointError, f"after step {step}: log of 0")
            with mock.patch.object(microgpt, "document_loss", failing), told:
                self.output(["ab"], Settings(**SMALL))

    def test_settings_are_checked_and_cannot_be_changed(self):
        settings = Settings(n_embd=12)
        for name in ("n_head", "nlayer"):
            with self.assertRaises((AttributeError, TypeError)):
                setattr(settings, name, 3)
        self.assertEqual(dataclasses.replace(settings, n_head=3), Settings(n_embd=12, n_head=3))
        self.assertRaises(ValueError, dataclasses.replace, settings, n_head=5)


class Sample(unittest.TestCase):
    def test_composes_a_prompt(self):
        state_dict, tokenizer, _, settings, rng = untrained(["\u2460caf\u00e9"], n_embd=4, n_head=2)
        doc = microgpt.sample(state_dict, tokenizer, settings, rng, "\u2460cafe\u0301")
        self.assertEqual(doc[:5], "\u2460caf\u00e9")  # and no more than composed

    def test_leaves_the_tape_as_it_was(self):
        state_dict, tokenizer, docs, settings, rng = untrained(["abc"], **SMALL)
        self.addCleanup(tape.clear)
        microgpt.document_loss(state_dict, tokenizer.encode(docs[0]), settings)
        before = list(tape)
        microgpt.sample(state_dict, tokenizer, settings, rng)
        self.assertEqual(tape, before)


class Train(unittest.TestCase):
    def setUp(self):
        tape.clear()  # of what another test has left
        self.addCleanup(tape.clear)

    def test_encodes_no_more_of_a_document_than_it_trains_on(self):
        encoded = []

        class Watched(Tokenizer):
            def encode(self, doc):
                encoded.append(len(doc))
                return super().encode(doc)

        state_dict, _, docs, settings, _ = untrained(["ab" * 500_000], **SMALL, num_steps=1)
        next(train(state_dict, Watched(docs), docs, settings))
        self.assertLessEqual(max(encoded), settings.block_size + 1)

    def test_after_an_interruption_is_a_fresh_start(self):
        """Ctrl-C in a backward pass, as in a notebook, leaves a tape and gradients behind."""
        trained = []
        for calls in (None, 1, 40):
            state_dict, tokenizer, docs, settings, _ = untrained(["ab"], **SMALL, num_steps=1)
            params = parameters(state_dict)
            if calls:
                effects = chain([mock.DEFAULT] * calls, [KeyboardInterrupt], repeat(mock.DEFAULT))
                interrupted = mock.Mock(wraps=microgpt.dot_backprop, side_effect=effects)
                patch = mock.patch.object(microgpt, "dot_backprop", interrupted)
                with patch, self.assertRaises(KeyboardInterrupt):
                    microgpt.document_loss(state_dict, tokenizer.encode("ab"), settings).backward()
                params[0].grad = params[-1].grad = 10.0 - calls
            next(train(state_dict, tokenizer, docs, settings))
            trained.append([p.data for p in params])
        self.assertEqual(trained[1:], [trained[0]] * 2)

    @unittest.skipIf(sys.implementation.name != "cpython", "only CPython frees a graph at once")
    def test_frees_a_graph_before_the_next_is_built(self):
        state_dict, tokenizer, docs, settings, _ = untrained(["ab"], **SMALL, num_steps=4)
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
