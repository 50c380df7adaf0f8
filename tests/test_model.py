"""Does the model compute what the formulas define, and its gradient, in any shape?

Against the formulas of formulas.py, on floats and on the nodes of naive_autograd.py.
"""

import random
import unittest

from microgpt import (
    Settings,
    Tokenizer,
    Value,
    document_loss,
    empty_cache,
    gpt,
    init_state_dict,
    relu_linear,
    rmsnorm,
    softmax,
    tape,
)
from tests import formulas
from tests.naive_autograd import Node
from tests.tolerances import EPS, path_bound, slope_and_error


def shapes(count):
    """Random settings with a random model, and for each a document of a length that matters."""
    rng = random.Random(4)
    for i in range(count):
        n_head = rng.choice((1, 2, 3, 4, 6, 8))
        settings = Settings(
            n_layer=i % 4,
            n_head=n_head,
            n_embd=n_head * rng.randint(1, 3 if n_head < 4 else 2),
            block_size=rng.randint(2, 5),
        )
        vocab_size = rng.choice((2, 3, 6, 27, 60))
        state_dict = init_state_dict(settings, vocab_size, rng)
        for row in (row for matrix in state_dict.values() for row in matrix):
            for p in row:
                p.data *= 5  # far from the start, where much is nearly linear
        bos, block_size = vocab_size - 1, settings.block_size
        length = (1, block_size - 1, block_size, block_size + 3)[i % 4]
        yield settings, state_dict, [bos, *(rng.randrange(bos) for _ in range(length)), bos]


def converted(state_dict, number):
    return {
        name: [[number(p.data) for p in row] for row in matrix]
        for name, matrix in state_dict.items()
    }


class TheLoss(unittest.TestCase):
    def tearDown(self):
        tape.clear()

    def test_loss_and_gradient_of_every_parameter(self):
        for settings, state_dict, tokens in shapes(12):
            with self.subTest(settings=settings, tokens=tokens):
                weights = converted(state_dict, Node)
                oracle = formulas.loss(vars(settings), weights, tokens)
                oracle.backward()
                bound, rounding = path_bound(oracle)
                loss = document_loss(state_dict, tokens, settings)
                loss.backward()
                self.assertAlmostEqual(loss.data, oracle.data, delta=rounding * oracle.data)
                for name, matrix in state_dict.items():
                    grads = [p.grad for row in matrix for p in row]
                    nodes = [node for row in weights[name] for node in row]
                    largest = max(abs(node.grad) for node in nodes)
                    for grad, node in zip(grads, nodes):
                        error = min(1e-10 * max(largest, 1e-6), rounding * bound.get(node, 0.0))
                        self.assertLessEqual(abs(grad - node.grad), error, name)

    def test_gradient_against_central_differences(self):
        rng = random.Random(5)
        for settings, state_dict, tokens in shapes(6):
            weights = converted(state_dict, float)
            document_loss(state_dict, tokens, settings).backward()
            for name, matrix in state_dict.items():
                i, j = rng.randrange(len(matrix)), rng.randrange(settings.n_embd)

                def moved(x):
                    before, weights[name][i][j] = weights[name][i][j], x
                    loss = formulas.loss(vars(settings), weights, tokens)
                    weights[name][i][j] = before
                    return loss

                slope, error = slope_and_error(moved, weights[name][i][j])
                self.assertLessEqual(abs(matrix[i][j].grad - slope), error, (settings, name, i, j))

    def test_no_more_of_a_document_than_the_block_counts(self):
        settings = Settings(n_embd=4, n_head=2, block_size=3)
        tokenizer = Tokenizer(["abcd"])
        state_dict = init_state_dict(settings, tokenizer.vocab_size, random.Random(1))
        short, long = (
            document_loss(state_dict, tokenizer.encode(doc), settings).data
            for doc in ("abcd", "abcdabcdabcd")
        )
        self.assertEqual(short, long)


class TheLogits(unittest.TestCase):
    def tearDown(self):
        tape.clear()

    def test_cache_gives_what_a_recomputation_gives(self):
        for settings, state_dict, tokens in shapes(9):
            tokens = tokens[: settings.block_size]
            cache = empty_cache(settings)
            whole = formulas.logits(vars(settings), converted(state_dict, float), tokens)
            for pos_id, token_id in enumerate(tokens):
                logits = [v.data for v in gpt(state_dict, token_id, pos_id, cache, settings)]
                for got, expected in zip(logits, whole[pos_id]):
                    self.assertAlmostEqual(got, expected, places=11)

    def test_shape_of_the_cache(self):
        settings = Settings(n_layer=3, n_head=2, n_embd=6)
        cache = empty_cache(settings)
        state_dict = init_state_dict(settings, 5, random.Random(0))
        for pos_id in range(4):
            self.assertEqual(len(gpt(state_dict, 0, pos_id, cache, settings)), 5)
        self.assertEqual([len(layer) for layer in cache], [2, 2, 2])
        for rows in (rows for layer in cache for head in layer for rows in head):
            self.assertEqual([len(row) for row in rows], [3] * 4)  # keys, or values

    def test_a_model_without_layers_sees_one_token(self):
        """And its position: it is a bigram model."""
        settings = Settings(n_layer=0, n_embd=4, block_size=3)
        state_dict = init_state_dict(settings, 5, random.Random(0))
        self.assertEqual(list(state_dict), ["wte", "wpe", "lm_head"])
        logits = []
        for first in (1, 2):
            cache = empty_cache(settings)
            gpt(state_dict, first, 0, cache, settings)
            logits.append([v.data for v in gpt(state_dict, 3, 1, cache, settings)])
        self.assertEqual(*logits)

    def test_shapes_names_and_draws_of_the_parameters(self):
        settings = Settings(n_layer=2, n_embd=6, n_head=2, block_size=7)
        state_dict = init_state_dict(settings, 5, random.Random(0))
        sizes = {name: (len(m), {len(row) for row in m}) for name, m in state_dict.items()}
        layer = {name: (6, {6}) for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo")}
        layer.update(mlp_fc1=(24, {6}), mlp_fc2=(6, {24}))
        expected = {"wte": (5, {6}), "wpe": (7, {6}), "lm_head": (5, {6})}
        for i in range(2):
            expected.update({f"layer{i}.{name}": size for name, size in layer.items()})
        self.assertEqual(list(sizes.items()), list(expected.items()))
        rng = random.Random(0)
        for p in (p for matrix in state_dict.values() for row in matrix for p in row):
            self.assertEqual(p.data, rng.gauss(0, 0.08))


class TheParts(unittest.TestCase):
    def test_softmax(self):
        rng = random.Random(6)
        for n in (1, 2, 5, 50):
            logits = [rng.uniform(-9, 9) for _ in range(n)]
            for p, expected in zip(softmax(logits), formulas.softmax(logits)):
                self.assertAlmostEqual(p, expected, delta=n * EPS)
        self.assertEqual(softmax([1e308, 1e308, -1e308]), [0.5, 0.5, 0.0])

    def test_softmax_adds_up_term_by_term(self):
        """As sum() does before Python 3.12, and no more after: the small ones would count."""
        self.assertEqual(softmax([0.0] + [-37.0] * 10)[0], 1.0)

    def test_softmax_at_a_temperature(self):
        for temperature in (0.1, 3.0):
            logits = [0.5, -1.0, 2.0]
            expected = formulas.softmax([logit / temperature for logit in logits])
            for p, q in zip(softmax(logits, temperature), expected):
                self.assertAlmostEqual(p, q, places=14)

    def test_relu_linear(self):
        x, row = [1.5, -2.0, 0.0, 0.5], [1.0, 10.0, 100.0, -4.0]
        values, weights = [Value(d) for d in x], [Value(w) for w in row]
        (out,) = relu_linear(values, [weights])
        out.backward()
        self.assertEqual(out.data, -0.5)
        self.assertEqual([v.grad for v in values], [1.0, 0.0, 0.0, -4.0])
        self.assertEqual([w.grad for w in weights], [1.5, 0.0, 0.0, 0.5])

    def test_rmsnorm(self):
        x = [3.0, -4.0, 0.0]
        for scale in (1.0, 1e-3):  # at the smaller one, the 1e-5 under the root is most of it
            data = [scale * x_i for x_i in x]
            root = (sum(d * d for d in data) / 3 + 1e-5) ** 0.5
            for value, d in zip(rmsnorm([Value(d) for d in data]), data):
                self.assertAlmostEqual(value.data, d / root, places=14)
