"""Does training follow Adam, the schedule and the documents, and can it be interrupted?

Against the recurrences of Adam's paper, and a spy on every step.
"""

import contextlib
import copy
import random
import sys
import unittest
from unittest import mock

import microgpt
from microgpt import Adam, Settings, Tokenizer, Value, document_loss, init_state_dict, tape, train
from tests.tolerances import EPS

try:
    import tracemalloc
except ImportError:  # PyPy
    tracemalloc = None


def parameters(state_dict):
    return [p for matrix in state_dict.values() for row in matrix for p in row]


class TheOptimizer(unittest.TestCase):
    def test_the_recurrences_of_the_paper(self):
        grads = (  # step by step: ordinary ones, one so small that eps matters, one that is 0
            (0.5, -2.0, 3e-9, 0.0),
            (0.25, -1.0, -1e-9, 0.0),
            (-1.0, -3.0, 2e-9, 1e-3),
            (0.0, 4.0, 2e-9, 0.0),
        )
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
        self.assertEqual(self.train(["ab"], num_steps=0)[0], [])

    def test_the_documents_come_in_their_order_again_and_again(self):
        docs = ["ab", "c", "ba"]
        _, seen, tokenizer = self.train(docs, num_steps=7)
        self.assertEqual(seen, [tokenizer.encode(docs[i % 3]) for i in range(7)])


class Interrupted(unittest.TestCase):
    def test_a_step_after_an_interrupted_one_has_the_gradients_of_a_fresh_start(self):
        """Ctrl-C at any function call of a step, as in a notebook; then training goes on."""
        settings = Settings(n_embd=4, n_head=2, block_size=3)
        tokenizer = Tokenizer(["abc"])
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        first, second = tokenizer.encode("ab"), tokenizer.encode("cab")
        adam = Adam(parameters(state_dict))
        rng, interrupted = random.Random(2), 0

        for _ in range(40):
            calls = iter(range(rng.randrange(3000)))

            def count(frame, event, arg):
                if next(calls, None) is None:
                    raise KeyboardInterrupt

            sys.setprofile(count)
            try:
                microgpt.train_step(state_dict, first, adam, 0.01, settings)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                sys.setprofile(None)
            fresh = copy.deepcopy(
                [[[p.data for p in row] for row in m] for m in state_dict.values()]
            )
            fresh = {n: [[Value(x) for x in row] for row in m] for n, m in zip(state_dict, fresh)}
            microgpt.train_step(state_dict, second, adam, 0.01, settings)
            self.assertEqual(tape, [])
            document_loss(fresh, second, settings).backward()
            self.assertEqual(
                [p.grad for p in parameters(state_dict)], [p.grad for p in parameters(fresh)]
            )
            tape.clear()
        self.assertGreater(interrupted, 10)


class Memory(unittest.TestCase):
    @unittest.skipIf(tracemalloc is None, "there is no tracemalloc here to measure memory with")
    def test_a_hundred_steps_peak_no_higher_than_ten(self):
        settings = Settings(n_embd=4, n_head=2, block_size=4, num_steps=110)
        docs = ["abcd"]
        tokenizer = Tokenizer(docs)
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        training = train(state_dict, tokenizer, docs, settings)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        peaks = []
        for steps in (10, 100):
            tracemalloc.clear_traces()
            for _ in range(steps):
                next(training)
            peaks.append(tracemalloc.get_traced_memory()[1])
        self.assertLess(peaks[1], 1.05 * peaks[0])
        self.assertGreater(peaks[0], 50_000)  # it did measure a graph
