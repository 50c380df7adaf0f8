"""Does training follow Adam, the schedule and the documents, and write what the oracles write?"""

import contextlib
import io
import random
import unittest
from unittest import mock

import microgpt
from microgpt import Adam, Settings, Tokenizer, Value, document_loss, init_state_dict, run, train
from tests import KOREAN_NAMES, naive_program
from tests.test_is_the_gradient_right import EPS

NAMES = ["anna", "bob", "carla", "dora", "ed", "xenophon", "abcdabcdabcd", "o"]


class TheOptimizer(unittest.TestCase):
    def test_the_recurrences_of_the_paper(self):
        grads = [  # step by step: ordinary ones, one so small that eps matters, one that is 0
            [0.5, -2.0, 3e-9, 0.0], [0.25, -1.0, -1e-9, 0.0], [-1.0, -3.0, 2e-9, 1e-3],
            [0.0, 4.0, 2e-9, 0.0],
        ]  # fmt: skip
        start, lrs = [1.0, -1.0, 0.5, 2.0], [0.01, 0.02, 0.005, 0.01]
        params = [Value(x) for x in start]
        adam = Adam(params)
        theta, m, v = list(start), [0.0] * 4, [0.0] * 4
        for t, (grad, lr) in enumerate(zip(grads, lrs), 1):
            for p, g in zip(params, grad):
                p.grad = g
            adam.step(lr)
            for i, g in enumerate(grad):
                m[i] = 0.85 * m[i] + 0.15 * g
                v[i] = 0.99 * v[i] + 0.01 * g**2
                m_hat, v_hat = m[i] / (1 - 0.85**t), v[i] / (1 - 0.99**t)
                theta[i] -= lr * m_hat / (v_hat**0.5 + 1e-8)
                # under 20 roundings a step, each of at most EPS/2 of what moved, and one of theta
                error = t * EPS * (10 * 2 * lr + abs(theta[i]))
                self.assertAlmostEqual(params[i].data, theta[i], delta=error)
                self.assertEqual(params[i].grad, 0.0)
        self.assertNotAlmostEqual(params[2].data, 0.5, delta=1e-3)  # eps has not frozen it


class TheSteps(unittest.TestCase):
    def train(self, docs, **settings):
        """Train, and return the learning rates and the tokens of each step."""
        settings = Settings(n_embd=4, n_head=2, **settings)
        tokenizer = Tokenizer(docs)
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        with contextlib.ExitStack() as spies:
            spy = spies.enter_context
            step = spy(mock.patch.object(Adam, "step", autospec=True, side_effect=Adam.step))
            loss = spy(mock.patch.object(microgpt, "document_loss", side_effect=document_loss))
            losses = list(train(state_dict, tokenizer, docs, settings))
        self.assertEqual(len(losses), settings.num_steps)
        rates = [call.args[1] for call in step.call_args_list]
        return rates, [call.args[1] for call in loss.call_args_list], tokenizer

    def test_the_learning_rate_falls_to_nothing(self):
        rates, _, _ = self.train(["ab"], num_steps=4, lr=0.1)
        self.assertEqual(rates, [0.1, 0.1 * 0.75, 0.1 * 0.5, 0.1 * 0.25])
        self.assertEqual(self.train(["ab"], num_steps=1)[0], [0.01])

    def test_the_documents_come_in_their_order_again_and_again(self):
        docs = ["ab", "c", "ba"]
        _, seen, tokenizer = self.train(docs, num_steps=7)
        self.assertEqual(seen, [tokenizer.encode(docs[i % 3]) for i in range(7)])

    def test_no_more_of_a_document_than_the_block_is_read(self):
        _, (tokens,), tokenizer = self.train(["ab" * 50_000], num_steps=1, block_size=4)
        self.assertEqual(tokens[:5], tokenizer.encode("abab")[:5])
        self.assertLess(len(tokens), 10)

    def test_no_steps(self):
        self.assertEqual(self.train(["ab"], num_steps=0)[0], [])


class WholeRuns(unittest.TestCase):
    """What the program writes against what a program made of the oracles writes."""

    def assertSameOutput(self, docs, **settings):
        expected = []
        naive_program.run(docs, expected.append, **settings)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            run(list(docs), Settings(**settings))
        self.assertEqual(out.getvalue(), "".join(expected))

    def test_first_step_of_several_shapes(self):
        for n_layer, n_head, n_embd, block_size in (
            (1, 4, 16, 16), (2, 1, 8, 5), (3, 2, 4, 2), (1, 3, 9, 1), (2, 4, 12, 8), (1, 8, 8, 3),
        ):  # fmt: skip
            with self.subTest(n_layer=n_layer, n_head=n_head, n_embd=n_embd, block_size=block_size):
                self.assertSameOutput(
                    NAMES, n_layer=n_layer, n_head=n_head, n_embd=n_embd, block_size=block_size,
                    num_steps=1, num_samples=5,
                )  # fmt: skip

    def test_seeds(self):
        for seed in (0, 1, 2**70, -3):
            self.assertSameOutput(NAMES, seed=seed, num_steps=12, n_embd=8, num_samples=5)

    def test_settings(self):
        for settings in (
            {"lr": 0.3, "num_steps": 30}, {"temperature": 3.0}, {"temperature": 0.05},
            {"num_steps": 0}, {"num_samples": 0}, {"num_samples": 101, "num_steps": 1},
            {"n_layer": 2, "num_steps": 10}, {"block_size": 3}, {"block_size": 40},
        ):  # fmt: skip
            with self.subTest(settings):
                self.assertSameOutput(NAMES, **{"n_embd": 4, "num_steps": 20, **settings})

    def test_datasets(self):
        korean = KOREAN_NAMES.read_text(encoding="utf-8").split()
        self.assertSameOutput(korean, num_steps=8, num_samples=5)
        self.assertSameOutput(["aaaa"], n_embd=4, num_steps=20)
        self.assertSameOutput(["\U0001f600é ß", "日本", "\x00\x7f"], n_embd=4, num_steps=20)

    def test_a_longer_run(self):
        self.assertSameOutput(NAMES, n_embd=8, n_head=2, num_steps=60)
