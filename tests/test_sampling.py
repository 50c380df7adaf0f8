"""Does a sample begin with its prompt, follow its temperature, and end in time?

What is drawn for a temperature, a seed or a prompt is what the naive program draws:
test_same_numbers.
"""

import contextlib
import dataclasses
import io
import random
import unittest
from unittest import mock

import microgpt
from microgpt import Settings, Tokenizer, sample
from tests import start

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}


class Samples(unittest.TestCase):
    def test_draw_once_for_each_token_that_is_not_of_the_prompt(self):
        state_dict, tokenizer, _, settings, _ = start(["abcd"], **SMALL, temperature=50.0)
        for prompt, lengths in (("", {0, 1, 2, 3, 4}), ("abc", {3, 4})):
            seen = set()
            for seed in range(60):
                rng, same = random.Random(seed), random.Random(seed)
                text = sample(state_dict, tokenizer, settings, rng, prompt)
                self.assertTrue(text.startswith(prompt))
                seen.add(len(text))
                for _ in range(min(len(text) + 1, settings.block_size) - len(prompt)):
                    same.random()
                self.assertEqual(rng.getstate(), same.getstate())
            self.assertEqual(seen, lengths)

    def test_refuse_a_prompt_that_no_document_can_begin_with(self):
        model = start(["abcd"], **SMALL)
        for prompt, words in (("ax", "'x'"), ("abcd", "block_size"), ("abcda", "block_size")):
            with self.assertRaisesRegex(ValueError, words):
                sample(model[0], model[1], model[3], random.Random(1), prompt)

    def test_of_a_model_that_diverged_are_an_error(self):
        state_dict, tokenizer, _, settings, rng = start(["abcd"], **SMALL)
        for value in (float("nan"), float("inf")):
            state_dict["lm_head"][2][0].data = value
            with self.assertRaises(FloatingPointError):
                sample(state_dict, tokenizer, settings, rng)
            microgpt.tape.clear()


class Run(unittest.TestCase):
    def run_silently(self, *args):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                return microgpt.run(*args)
            finally:
                self.output = out.getvalue()

    def test_returns_the_trained_parameters(self):
        settings = Settings(**SMALL, num_steps=300, lr=0.1, temperature=0.01)
        state_dict = self.run_silently(["abc", "cab"], settings)
        text = sample(state_dict, Tokenizer(["abc"]), settings, random.Random(1), "ca")
        self.assertEqual(text, "cab")

    def test_takes_any_iterable_of_texts_and_leaves_it_alone(self):
        class Series:
            """As of pandas: it has a length, but is neither true nor false."""

            def __iter__(self):
                return iter(docs)

            def __len__(self):
                return len(docs)

            def __bool__(self):
                raise ValueError("The truth value of a Series is ambiguous.")

        docs, settings = ["ab", "c", "ba"], Settings(**SMALL, num_steps=2)
        self.run_silently(docs, settings)
        expected = self.output
        self.assertEqual(docs, ["ab", "c", "ba"])
        for others in (tuple(docs), (doc for doc in docs), dict.fromkeys(docs), Series()):
            self.run_silently(others, settings)
            self.assertEqual(self.output, expected)

    def test_refuses_what_cannot_be_used_before_any_work(self):
        for docs, prompt in (
            (["abc"], "x"),
            (["abc"], "abca"),
            ([], ""),
            ((doc for doc in []), ""),
            ("text", ""),
        ):
            self.assertRaises(ValueError, self.run_silently, docs, Settings(**SMALL), prompt)
            self.assertEqual(self.output, "")

    def test_tells_the_counts_before_it_makes_the_parameters(self):
        def out_of_memory(*args):
            raise MemoryError

        with mock.patch.object(microgpt, "init_state_dict", out_of_memory):
            self.assertRaises(MemoryError, self.run_silently, ["abc"], Settings(**SMALL))
        self.assertEqual(self.output, "num docs: 1\nvocab size: 4\nnum params: 240\n")


class SettingsOfARun(unittest.TestCase):
    def test_are_checked_and_cannot_be_changed(self):
        settings = Settings(n_embd=12)
        for name in ("n_head", "nlayer"):
            with self.assertRaises((AttributeError, TypeError)):
                setattr(settings, name, 3)
        self.assertEqual(dataclasses.replace(settings, n_head=3), Settings(n_embd=12, n_head=3))
        self.assertRaises(ValueError, dataclasses.replace, settings, n_head=5)
