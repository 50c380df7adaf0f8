"""Does it compute what the original computes, to the last bit, and so write the same bytes?

Against numbers of the original itself, and against naive.py, which performs its operations.
"""

import contextlib
import hashlib
import io
import json
import math
import random
import unittest
from itertools import islice, zip_longest
from unittest import mock

import support
from naive import DEFAULTS, NaiveProgram
from support import KOREAN_NAMES, NAMES, ROOT, parameters, published_run, untrained

import microgpt

KOREAN = KOREAN_NAMES.read_text(encoding="utf-8").split()
TWO_HUNDRED_CHARACTERS = ["".join(map(chr, range(i, i + 9))) for i in range(0x4E00, 0x4EC8, 4)]
THREE_HUNDRED_CHARACTERS = ["".join(map(chr, range(i, i + 5))) for i in range(0x4E00, 0x4F2C, 5)]
TOO_LONG = ["abcde" * 4, "edcba" * 5, "ab"]
FORTY = ["abcde" * 8, "edcba" * 8, "ab" * 20]
ANY = ("\U0001f600é ß\x00\x7f", "가나다", "")


def digest(numbers):
    return hashlib.sha256("\n".join(float(x).hex() for x in numbers).encode()).hexdigest()


def data(params):
    return [p.data for p in params]


class Original(unittest.TestCase):
    def test_has_written_the_bytes_of_the_published_run(self):
        out = published_run()[0].encode()
        sha256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"
        self.assertEqual((hashlib.sha256(out).hexdigest(), len(out)), (sha256, 31431))

    def test_has_computed_these_losses_and_parameters(self):
        """On CPython and Linux: data/original.json has digests of its numbers."""
        expected = json.loads((ROOT / "tests" / "data" / "original.json").read_text())
        rng, powers = random.Random(1), []
        for _ in range(20_000):
            x = math.exp(rng.gauss(0, 3))
            powers += x**2.0, x**0.5, x**-1, x**-0.5, x**-1.5, x**-2, math.log(x)
        if digest(powers) != expected["powers"]:
            self.skipTest("this Python or its C library rounds powers or logarithms differently")
        docs = microgpt.read_docs(ROOT / "input.txt")
        for case in expected["runs"]:
            with self.subTest(case["settings"]):
                state_dict, *others, _ = untrained(docs, **case["settings"])
                losses = list(islice(microgpt.train(state_dict, *others), case["steps"]))
                self.assertEqual(digest(losses), case["losses"])
                self.assertEqual(digest(data(parameters(state_dict))), case["parameters"])


class Naive(unittest.TestCase):
    def assertSameRun(self, docs, prompt="", **settings):
        """The same output, and the same parameters after each step; no tape and no gradients."""
        naive, written, after = NaiveProgram(docs, **settings), [], []

        def naive_training(train=naive.train):
            for loss in train():
                after.append(data(naive.params))
                yield loss

        def training(state_dict, *args):
            for step, loss in enumerate(support.watched_training(state_dict, *args, most=1210)):
                # not by assertEqual: a diff of many numbers takes minutes
                self.assertTrue(data(parameters(state_dict)) == after[step], f"at step {step}")
                yield loss

        with mock.patch.object(naive, "train", naive_training):
            naive.run(written.append, prompt)
        out = contextlib.redirect_stdout(io.StringIO())
        with mock.patch.object(microgpt, "train", training), out as out:
            params = parameters(microgpt.run(docs, microgpt.Settings(**settings), prompt))
        lines = [text.splitlines(keepends=True) for text in (out.getvalue(), "".join(written))]
        for line, expected in zip_longest(*lines):
            self.assertEqual(line, expected)
        self.assertTrue(data(params) == data(naive.params), "in the end")
        self.assertEqual(({p.grad for p in params}, microgpt.tape), ({0.0}, []))

    def test_program_in_any_shape_and_for_any_settings(self):
        self.assertEqual(vars(microgpt.Settings()), DEFAULTS)
        names = ("n_layer", "n_head", "n_embd", "block_size", "num_steps", "num_samples")
        for *shape, docs, others in (
            (0, 1, 5, 16, 4, 2, NAMES, {"lr": 0.1}),
            (0, 5, 15, 3, 3, 0, KOREAN, {"lr": 1.0}),
            (0, 1, 1, 310, 2, 1, ["ab" * 155], {"lr": 1e-7}),
            (1, 1, 1, 16, 4, 2, ["aaaa", "abab", "a"], {"prompt": "b"}),
            (1, 4, 16, 16, 2, 1, NAMES, {}),
            (1, 3, 9, 1, 4, 5, NAMES, {"seed": 2**70}),
            (1, 2, 4, 16, 3, 9, ANY, {"prompt": "가\x00"}),
            (1, 2, 4, 40, 2, 9, FORTY, {"temperature": 30.0}),
            (1, 2, 4, 6, 1, 201, NAMES, {"temperature": 7.0}),
            (1, 2, 4, 6, 0, 50, NAMES, {"temperature": 0.004, "seed": 0}),
            (1, 5, 10, 9, 3, 3, TOO_LONG, {"lr": 0.3, "prompt": "dcba"}),
            (1, 2, 6, 4, 3, 1, TWO_HUNDRED_CHARACTERS, {"lr": 0.001, "seed": -3}),
            (1, 1, 1, 9, 40, 1, THREE_HUNDRED_CHARACTERS, {"lr": 0.1}),
            (2, 1, 7, 5, 3, 2, KOREAN, {"lr": 0.2}),
            (2, 3, 9, 6, 3, 1, NAMES, {"lr": 0.2}),
            (3, 5, 10, 2, 3, 1, TOO_LONG, {"lr": 0.05}),
            (3, 2, 2, 16, 4, 2, NAMES, {"lr": 1.0}),
            (11, 1, 2, 3, 3, 2, NAMES, {"lr": 0.1}),
        ):
            settings = {**dict(zip(names, shape)), **others}
            with self.subTest(**settings):
                self.assertSameRun(docs, **settings)

    def test_program_for_many_steps(self):
        """Here a difference in the last bit of a gradient would be seen after some 200 steps."""
        tiny = {"n_embd": 1, "n_head": 1, "num_samples": 1}
        self.assertSameRun(NAMES, **tiny, lr=0.1, num_steps=300)
        self.assertSameRun(["a", "b"] * 603, **tiny, block_size=1, num_steps=1206)
