"""Does sampling follow the softmax at its temperature, and leave no graph behind?

Against the probabilities of formulas.py, by chi-square.
"""

import contextlib
import io
import random
import unittest
from collections import Counter
from unittest import mock

import microgpt
from microgpt import Settings, Tokenizer, init_state_dict, sample, tape
from tests import formulas


def model(**settings):
    """Settings, a tokenizer of five tokens, and a random model that has strong opinions."""
    settings = Settings(**{"n_embd": 4, "n_head": 2, "block_size": 3, **settings})
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


class TheDistribution(unittest.TestCase):
    def chi_square(self, counts, probs):
        n = sum(counts)
        return sum((count - n * p) ** 2 / (n * p) for count, p in zip(counts, probs))

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
            self.assertLess(self.chi_square(counts, probs), 18.5)
            # with another temperature's probabilities, the same bound does not hold
            other = Settings(**{**vars(settings), "temperature": temperature * 1.5})
            self.assertGreater(
                self.chi_square(counts, probabilities(state_dict, other, [bos])), 18.5
            )
            char = max(tokenizer.chars, key=first.__getitem__)
            second = Counter(text[1:2] for text in texts if text[:1] == char)
            counts = [second[char] for char in [*tokenizer.chars, ""]]
            probs = probabilities(state_dict, settings, tokenizer.encode(char)[:2])
            self.assertLess(self.chi_square(counts, probs), 18.5)

    def test_temperature_towards_zero_picks_the_most_likely(self):
        for temperature in (1e-3, 1e-9, 1e-300, 5e-324):
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


class TheRun(unittest.TestCase):
    def test_it_returns_what_sample_takes_to_go_on(self):
        outputs = []
        for num_samples in (3, 2):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                settings = Settings(n_embd=4, num_steps=2, num_samples=num_samples)
                trained = microgpt.run(["abc", "cab"], settings)
            outputs.append(out.getvalue())
        self.assertEqual(outputs[0], f"{outputs[1]}sample  3: {sample(*trained)}\n")


class TheGraph(unittest.TestCase):
    def watch(self):
        """Sample once; before every token, the length of the tape and the values in the cache."""
        state_dict, tokenizer, settings = model(n_layer=2, temperature=5.0, block_size=8)
        seen, gpt = [], microgpt.gpt

        def watched(state_dict, token_id, pos_id, cache, settings):
            rows = [row for layer in cache for rows in layer for row in rows]
            seen.append((len(tape), [value for row in rows for value in row]))
            return gpt(state_dict, token_id, pos_id, cache, settings)

        with mock.patch.object(microgpt, "gpt", watched):
            sample(state_dict, tokenizer, settings, random.Random(3))
        self.assertGreater(len(seen), 3)
        return seen, len(tape)

    def test_the_tape_is_before_each_token_as_it_was(self):
        tape.clear()
        kept = microgpt.Value(1.0) * 2
        seen, after = self.watch()
        self.assertEqual({length for length, _ in seen}, {1})
        self.assertEqual((after, tape[0]), (1, kept))
        tape.clear()

    def test_the_cache_holds_on_to_no_graph(self):
        seen, _ = self.watch()
        for pos_id, (_, values) in enumerate(seen):
            self.assertEqual(len(values), pos_id * 2 * 2 * 4)
            self.assertTrue(all(value._children is None for value in values))
