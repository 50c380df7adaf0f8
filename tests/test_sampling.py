"""Does sampling follow the softmax at its temperature, and start with the prompt?

Against the probabilities of formulas.py, by chi-square.
"""

import contextlib
import io
import random
import unittest
from collections import Counter

import microgpt
from microgpt import Settings, Tokenizer, init_state_dict, sample
from tests import formulas

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}


def model(**settings):
    """Settings, a tokenizer of five tokens, and a random model that has strong opinions."""
    settings = Settings(**{**SMALL, "block_size": 3, **settings})
    tokenizer = Tokenizer(["abcd"])
    state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(7))
    for row in state_dict["lm_head"]:
        for p in row:
            p.data *= 12
    return state_dict, tokenizer, settings


def probabilities(state_dict, settings, tokens):
    """What the formulas say about the token that comes after these."""
    weights = {n: [[p.data for p in row] for row in m] for n, m in state_dict.items()}
    logits = formulas.logits(vars(settings), weights, tokens)[-1]
    return formulas.softmax([logit / settings.temperature for logit in logits])


def chi_square(counts, probs):
    n = sum(counts)
    return sum((count - n * p) ** 2 / (n * p) for count, p in zip(counts, probs))


class TheDistribution(unittest.TestCase):
    def test_first_and_second_character(self):
        """Chi-square with 4 degrees of freedom is above 18.5 once in a thousand times."""
        for temperature in (0.5, 1.0, 2.0):
            state_dict, tokenizer, settings = model(temperature=temperature)
            rng = random.Random(8)
            texts = [sample(state_dict, tokenizer, settings, rng) for _ in range(1500)]
            bos = tokenizer.bos
            first = Counter(text[:1] for text in texts)
            counts = [first[char] for char in [*tokenizer.chars, ""]]
            probs = probabilities(state_dict, settings, [bos])
            self.assertLess(chi_square(counts, probs), 18.5)
            # with another temperature's probabilities, the same bound does not hold
            other = Settings(**{**vars(settings), "temperature": temperature * 1.5})
            self.assertGreater(chi_square(counts, probabilities(state_dict, other, [bos])), 18.5)
            char = max(tokenizer.chars, key=first.__getitem__)
            second = Counter(text[1:2] for text in texts if text[:1] == char)
            counts = [second[char] for char in [*tokenizer.chars, ""]]
            probs = probabilities(state_dict, settings, tokenizer.encode(char)[:2])
            self.assertLess(chi_square(counts, probs), 18.5)

    def test_temperature_towards_zero_picks_the_most_likely(self):
        for temperature in (1e-3, 1e-9, 1e-300):
            state_dict, tokenizer, settings = model(temperature=temperature)
            tokens = [tokenizer.bos]
            plain = Settings(**{**vars(settings), "temperature": 1.0})
            while len(tokens) <= settings.block_size:
                probs = probabilities(state_dict, plain, tokens)
                tokens.append(probs.index(max(probs)))
                if tokens[-1] == tokenizer.bos:
                    break
            for seed in range(5):
                text = sample(state_dict, tokenizer, settings, random.Random(seed))
                self.assertEqual(text, tokenizer.decode(tokens))

    def test_one_draw_for_each_token(self):
        state_dict, tokenizer, settings = model()
        for seed in range(20):
            rng, same = random.Random(seed), random.Random(seed)
            text = sample(state_dict, tokenizer, settings, rng)
            for _ in range(min(len(text) + 1, settings.block_size)):
                same.random()
            self.assertEqual(rng.getstate(), same.getstate())

    def test_no_longer_than_the_block(self):
        state_dict, tokenizer, settings = model(temperature=50.0)
        rng = random.Random(9)
        lengths = {len(sample(state_dict, tokenizer, settings, rng)) for _ in range(200)}
        self.assertEqual(lengths, {0, 1, 2, 3})


class ThePrompt(unittest.TestCase):
    def test_every_sample_starts_with_it(self):
        state_dict, tokenizer, settings = model(temperature=50.0)
        rng = random.Random(9)
        texts = {sample(state_dict, tokenizer, settings, rng, "ba") for _ in range(100)}
        self.assertEqual(texts, {"ba", "baa", "bab", "bac", "bad"})

    def test_what_follows_it_depends_on_all_of_it(self):
        """Chi-square, as above, for the character after two that are given."""
        state_dict, tokenizer, settings = model(temperature=2.0)
        rng = random.Random(8)
        texts = [sample(state_dict, tokenizer, settings, rng, "dc") for _ in range(1500)]
        third = Counter(text[2:] for text in texts)
        counts = [third[char] for char in [*tokenizer.chars, ""]]
        probs = probabilities(state_dict, settings, tokenizer.encode("dc")[:3])
        self.assertLess(chi_square(counts, probs), 18.5)

    def test_it_draws_nothing(self):
        state_dict, tokenizer, settings = model()
        rng, same = random.Random(1), random.Random(1)
        sample(state_dict, tokenizer, settings, rng, "ab")  # room for one more character
        same.random()
        self.assertEqual(rng.getstate(), same.getstate())

    def test_an_unknown_character(self):
        state_dict, tokenizer, settings = model()
        with self.assertRaises(ValueError):
            sample(state_dict, tokenizer, settings, random.Random(1), "ax")


class TheRun(unittest.TestCase):
    def run_quietly(self, docs, prompt="", **settings):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            state_dict = microgpt.run(docs, Settings(**{**SMALL, **settings}), prompt)
        return state_dict, out.getvalue()

    def test_it_returns_the_trained_parameters(self):
        state_dict, _ = self.run_quietly(["abc", "cab"], num_steps=300, num_samples=1, lr=0.1)
        settings = Settings(**SMALL, temperature=0.01)
        text = sample(state_dict, Tokenizer(["abc"]), settings, random.Random(1), "ca")
        self.assertEqual(text, "cab")

    def test_the_prompt_is_refused_before_any_work(self):
        for prompt in ("x", "abca"):
            out = io.StringIO()
            refused = self.assertRaisesRegex(ValueError, repr(prompt))
            with refused, contextlib.redirect_stdout(out):
                microgpt.run(["abc"], Settings(**SMALL), prompt)
            self.assertEqual(out.getvalue(), "")

    def test_documents_that_cannot_be_used(self):
        for docs in ([], "text"):
            with self.assertRaisesRegex(ValueError, "list of at least one document"):
                microgpt.run(docs, Settings(**SMALL))
