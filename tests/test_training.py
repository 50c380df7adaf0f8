"""Does training follow Adam, the schedule and the documents, and can it be interrupted?

Against the recurrences of Adam's paper, with losses whose gradients are known.
"""

import gc
import random
import sys
import unittest
from unittest import mock

import microgpt
from microgpt import Settings, Tokenizer, Value, dot, init_state_dict, tape, train
from tests.naive_autograd import EPS

SMALL = {"n_embd": 4, "n_head": 2, "block_size": 4}


class TheOptimizer(unittest.TestCase):
    def test_the_recurrences_of_the_paper(self):
        """Four parameters, and losses that are linear in them, so that the gradients are known."""
        grads = (  # step by step: ordinary ones, one so small that eps matters, one that is 0
            (0.5, -2.0, 3e-9, 0.0),
            (0.25, -1.0, -1e-9, 0.0),
            (-1.0, -3.0, 2e-9, 1e-3),
            (0.0, 4.0, 2e-9, 0.0),
        )
        theta, m, v = [1.0, -1.0, 0.5, 2.0], [0.0] * 4, [0.0] * 4
        params = [Value(x) for x in theta]
        steps = iter(grads)

        def loss(state_dict, tokens, settings):
            return dot(params, [Value(g) for g in next(steps)])

        settings = Settings(num_steps=4, lr=0.02)
        with mock.patch.object(microgpt, "document_loss", loss):
            training = train({"row": [params]}, Tokenizer(["a"]), ["a"], settings)
            for t, (grad, lr) in enumerate(zip(grads, (0.02, 0.015, 0.01, 0.005)), 1):
                next(training)
                for i, g in enumerate(grad):
                    m[i] = 0.85 * m[i] + 0.15 * g
                    v[i] = 0.99 * v[i] + 0.01 * g**2
                    m_hat, v_hat = m[i] / (1 - 0.85**t), v[i] / (1 - 0.99**t)
                    theta[i] -= lr * m_hat / (v_hat**0.5 + 1e-8)
                    # under 20 roundings a step, each of at most EPS/2 of what moved
                    error = t * EPS * (10 * 2 * lr + abs(theta[i]))
                    self.assertAlmostEqual(params[i].data, theta[i], delta=error)
                    self.assertEqual(params[i].grad, g)  # for inspection, until the next step
        self.assertNotAlmostEqual(params[2].data, 0.5, delta=1e-3)  # eps has not frozen it
        self.assertEqual(tape, [])


class TheSteps(unittest.TestCase):
    def seen(self, docs, **settings):
        """The tokens that each step trains on, and a tokenizer."""
        settings = Settings(**{**SMALL, **settings})
        tokenizer = Tokenizer(docs)
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        spy = mock.Mock(side_effect=microgpt.document_loss)
        with mock.patch.object(microgpt, "document_loss", spy):
            losses = list(train(state_dict, tokenizer, docs, settings))
        self.assertEqual(len(losses), settings.num_steps)
        return [call.args[1] for call in spy.call_args_list], tokenizer

    def test_the_documents_come_in_their_order_again_and_again(self):
        docs = ["ab", "c", "ba"]
        seen, tokenizer = self.seen(docs, num_steps=7)
        self.assertEqual(seen, [tokenizer.encode(docs[i % 3]) for i in range(7)])
        self.assertEqual(self.seen(docs, num_steps=0)[0], [])

    def test_no_more_of_a_document_is_encoded_than_is_trained_on(self):
        docs = ["ab" * 500_000]
        (tokens,), tokenizer = self.seen(docs, num_steps=1)
        self.assertEqual(tokens[:5], tokenizer.encode("abab")[:5])
        self.assertLessEqual(len(tokens), 6)

    def test_a_run_after_an_interrupted_one_has_the_gradients_of_a_fresh_start(self):
        """Ctrl-C half way through a backward pass, as in a notebook; then training goes on."""
        settings = Settings(**SMALL, num_steps=1)
        tokenizer = Tokenizer(["abc"])
        grads = []
        for interruption in (False, True):
            state_dict = init_state_dict(settings, 4, random.Random(1))
            if interruption:
                with mock.patch.object(microgpt, "dot_backprop", side_effect=KeyboardInterrupt):
                    training = train(state_dict, tokenizer, ["cab"], settings)
                    self.assertRaises(KeyboardInterrupt, next, training)
            next(train(state_dict, tokenizer, ["ab"], settings))
            grads.append([p.grad for m in state_dict.values() for row in m for p in row])
        self.assertEqual(*grads)


class Memory(unittest.TestCase):
    @unittest.skipIf(sys.implementation.name != "cpython", "only CPython frees a graph at once")
    def test_one_graph_is_freed_before_the_next_is_built(self):
        settings = Settings(**SMALL, num_steps=3)
        tokenizer = Tokenizer(["ab"])
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        document_loss, alive = microgpt.document_loss, []

        def watched(*args):
            alive.append(sum(type(thing) is Value for thing in gc.get_objects()))
            return document_loss(*args)

        with mock.patch.object(microgpt, "document_loss", watched):
            losses = list(train(state_dict, tokenizer, ["ab"], settings))
        self.assertEqual(len(losses), 3)
        self.assertEqual(alive, [alive[0]] * 3)
