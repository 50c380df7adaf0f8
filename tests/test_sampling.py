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


class TheDraws(unittest.TestCase):
    def chi_square(self, draws, probs):
        """For the characters that were drawn ("": the end): above 18.5 once in a thousand times."""
        counts, n = Counter(draws), len(draws)
        return sum(
            (counts[char] - n * p) ** 2 / (n * p)
            for char, p in zip(["a", "b", "c", "d", ""], probs)
        )

    def test_follow_the_probabilities(self):
        """Of the first character, and of one after a prompt."""
        for temperature in (0.5, 2.0):
            state_dict, tokenizer, settings = model(temperature=temperature)
            rng = random.Random(8)
            texts = [sample(state_dict, tokenizer, settings, rng) for _ in range(400)]
            first = [text[:1] for text in texts]
            right = probabilities(state_dict, settings, [tokenizer.bos])
            self.assertLess(self.chi_square(first, right), 18.5)
            # with the probabilities of another temperature, the same bound does not hold
            other = Settings(**{**vars(settings), "temperature": temperature * 2})
            wrong = probabilities(state_dict, other, [tokenizer.bos])
            self.assertGreater(self.chi_square(first, wrong), 18.5)

            texts = [sample(state_dict, tokenizer, settings, rng, "dc") for _ in range(400)]
            self.assertEqual({text[:2] for text in texts}, {"dc"})
            probs = probabilities(state_dict, settings, tokenizer.encode("dc")[:3])
            self.assertLess(self.chi_square([text[2:] for text in texts], probs), 18.5)

    def test_towards_temperature_zero_are_the_most_likely(self):
        state_dict, tokenizer, settings = model(temperature=1.0)
        tokens = [tokenizer.bos]
        while len(tokens) == 1 or (tokens[-1] != tokenizer.bos and len(tokens) <= 3):
            probs = probabilities(state_dict, settings, tokens)
            tokens.append(probs.index(max(probs)))
        for temperature in (1e-3, 1e-9, 1e-300):
            cold = Settings(**{**vars(settings), "temperature": temperature})
            for seed in range(5):
                text = sample(state_dict, tokenizer, cold, random.Random(seed))
                self.assertEqual(text, tokenizer.decode(tokens))

    def test_one_for_each_token_that_is_not_of_the_prompt(self):
        state_dict, tokenizer, settings = model(temperature=50.0)
        for prompt, lengths in (("", {0, 1, 2, 3}), ("ab", {2, 3})):
            seen = set()
            for seed in range(100):
                rng, same = random.Random(seed), random.Random(seed)
                text = sample(state_dict, tokenizer, settings, rng, prompt)
                seen.add(len(text))
                for _ in range(min(len(text) + 1, settings.block_size) - len(prompt)):
                    same.random()
                self.assertEqual(rng.getstate(), same.getstate())
            self.assertEqual(seen, lengths)

    def test_a_prompt_with_an_unknown_character(self):
        with self.assertRaises(ValueError):
            sample(*model(), random.Random(1), "ax")


class TheRun(unittest.TestCase):
    def test_it_returns_the_trained_parameters(self):
        settings = Settings(**SMALL, num_steps=300, lr=0.1, temperature=0.01)
        with contextlib.redirect_stdout(io.StringIO()):
            state_dict = microgpt.run(["abc", "cab"], settings)
        text = sample(state_dict, Tokenizer(["abc"]), settings, random.Random(1), "ca")
        self.assertEqual(text, "cab")

    def test_what_cannot_be_used_is_refused_before_any_work(self):
        for docs, prompt, message in (
            (["abc"], "x", "prompt 'x' "),
            (["abc"], "abca", "prompt 'abca' "),
            ([], "", "list of at least one document"),
            ("text", "", "list of at least one document"),
        ):
            out, refused = io.StringIO(), self.assertRaisesRegex(ValueError, message)
            with refused, contextlib.redirect_stdout(out):
                microgpt.run(docs, Settings(**SMALL), prompt)
            self.assertEqual(out.getvalue(), "")
