"""Does it compute what the original computes, to the last bit, and so write the same bytes?

Against naive_program.py, which makes the original's operations in its order, and the published run.
"""

import contextlib
import hashlib
import io
import random
import unittest
from itertools import zip_longest

import microgpt
from tests import (
    KOREAN_NAMES,
    NAMES,
    NAMES_FILE,
    needs_names,
    parameters,
    process,
    start,
    watched_training,
)
from tests.naive_program import NaiveProgram

KOREAN = KOREAN_NAMES.read_text(encoding="utf-8").split()
TWO_HUNDRED_CHARACTERS = ["".join(map(chr, range(i, i + 9))) for i in range(0x4E00, 0x4EC8, 4)]
TOO_LONG = ["abcde" * 4, "edcba" * 5, "ab"]


class Numbers(unittest.TestCase):
    def assertSameRun(self, docs, **settings):
        """The same loss, the same parameters after every step, and then the same samples."""
        naive = NaiveProgram(docs, **settings)
        state_dict, tokenizer, docs, settings, rng = start(docs, **settings)
        params = parameters(state_dict)
        training = watched_training(state_dict, tokenizer, docs, settings)
        for step, (loss, expected) in enumerate(zip_longest(training, naive.train()), 1):
            self.assertEqual(loss, expected, f"the loss of step {step} with {settings}")
            self.assertEqual(len(params), len(naive.params))
            for (name, p), node in zip(params.items(), naive.params):
                if p.data != node.data:
                    self.fail(f"{name} after step {step} with {settings}: {p.data}, {node.data}")
        self.assertEqual(step, settings.num_steps)
        for prompt in ("", tokenizer.chars[0]) if settings.block_size > 1 else ("",):
            text = microgpt.sample(state_dict, tokenizer, settings, rng, prompt)
            self.assertEqual(text, naive.sample(prompt), settings)

    def test_are_the_same_in_any_shape(self):
        for n_layer, n_head, n_embd, block_size, lr, docs in (
            (0, 1, 5, 16, 0.1, NAMES),
            (0, 5, 15, 3, 1.0, KOREAN),
            (1, 1, 1, 8, 0.05, NAMES),
            (1, 1, 1, 16, 0.01, ["aaaa", "abab", "a"]),
            (1, 4, 16, 16, 0.01, NAMES),
            (1, 3, 9, 1, 0.1, NAMES),
            (1, 5, 15, 9, 0.3, TOO_LONG),
            (1, 2, 6, 4, 0.001, TWO_HUNDRED_CHARACTERS),
            (2, 1, 7, 5, 0.2, KOREAN),
            (2, 3, 12, 6, 0.2, NAMES),
            (3, 5, 10, 2, 0.05, TOO_LONG),
            (3, 2, 2, 16, 1.0, NAMES),
            (9, 1, 2, 3, 0.1, NAMES),
        ):
            shape = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd, "lr": lr}
            with self.subTest(**shape, block_size=block_size):
                self.assertSameRun(docs, **shape, block_size=block_size, num_steps=4)

    def test_stay_the_same_for_many_steps(self):
        """Here a difference in the last bit of a gradient would be seen after some 200 steps."""
        self.assertSameRun(NAMES, n_embd=1, n_head=1, lr=0.1, num_steps=400)
        self.assertSameRun(["a", "b"] * 503, n_embd=1, n_head=1, block_size=1, num_steps=1006)

    def test_gradients_of_the_loss(self):
        """Of every parameter, in a model far from the start, where much is nearly linear."""
        rng = random.Random(4)
        for n_layer in (0, 1, 2, 3):
            for length in (1, 3, 4, 7):
                docs = ["".join(rng.choice("abcdef") for _ in range(length)), "abcdef"]
                shape = {"n_layer": n_layer, "n_head": 3, "n_embd": 6, "block_size": 4}
                naive = NaiveProgram(docs, **shape)
                state_dict, tokenizer, _, settings, _ = start(docs, **shape)
                params = parameters(state_dict)
                for p, node in zip(params.values(), naive.params):
                    p.data = node.data = p.data * 5
                expected = naive.loss(docs[0])
                expected.backward()
                loss = microgpt.document_loss(state_dict, tokenizer.encode(docs[0]), settings)
                loss.backward()
                microgpt.tape.clear()
                self.assertEqual(loss.data, expected.data, (n_layer, docs))
                for (name, p), node in zip(params.items(), naive.params):
                    self.assertEqual(p.grad, node.grad, (n_layer, docs, name))


class Output(unittest.TestCase):
    def assertSameOutput(self, docs, **settings):
        with self.subTest(**settings), contextlib.redirect_stdout(io.StringIO()) as out:
            microgpt.run(docs, microgpt.Settings(**settings))
        written = []
        NaiveProgram(docs, **settings).run(written.append)
        self.assertEqual(out.getvalue(), "".join(written))
        self.assertEqual(microgpt.tape, [])

    def test_is_the_same_for_any_settings(self):
        for settings in (
            {"temperature": 7.0, "num_samples": 101, "num_steps": 1},
            {"temperature": 0.004, "num_steps": 0, "num_samples": 100},
            {"num_steps": 0},
            {"num_samples": 0},
            {"seed": 0},
            {"seed": 2**70},
            {"seed": -3},
        ):
            shape = {"n_embd": 4, "n_head": 2, "block_size": 6}
            self.assertSameOutput(NAMES, **shape, **{"num_steps": 4, "num_samples": 5, **settings})

    def test_is_the_same_for_any_characters(self):
        docs = ("\U0001f600é ß\x00\x7f", "가나다", "")
        self.assertSameOutput(docs, n_embd=4, n_head=2, num_steps=3)

    @needs_names
    def test_is_that_of_the_published_run(self):
        out = process(NAMES_FILE).stdout
        sha256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"
        self.assertEqual((hashlib.sha256(out).hexdigest(), len(out)), (sha256, 31431))

    def test_is_the_same_whatever_the_hash_seed(self):
        runs = [
            process(KOREAN_NAMES, "--num_steps=9", env={"PYTHONHASHSEED": seed}) for seed in "01"
        ]
        self.assertEqual(runs[0].stdout, runs[1].stdout)
        self.assertEqual([(run.returncode, run.stderr) for run in runs], [(0, b"")] * 2)
