"""Does the model compute what formulas.py defines, and its gradient, in any shape?"""

import random
import unittest

import microgpt
from microgpt import Settings, Value, empty_cache, init_state_dict, softmax, tape
from tests import formulas
from tests.naive_autograd import EPS, Node, path_bound


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


class TheModel(unittest.TestCase):
    def tearDown(self):
        tape.clear()

    def test_loss_and_gradient_of_every_parameter(self):
        for settings, state_dict, tokens in shapes(12):
            with self.subTest(settings=settings, tokens=tokens):
                weights = {
                    name: [[Node(p.data) for p in row] for row in matrix]
                    for name, matrix in state_dict.items()
                }
                oracle = formulas.loss(vars(settings), weights, tokens)
                oracle.backward()
                bound, rounding = path_bound(oracle)
                loss = microgpt.document_loss(state_dict, tokens, settings)
                loss.backward()
                self.assertAlmostEqual(loss.data, oracle.data, delta=rounding * oracle.data)
                for name, matrix in state_dict.items():
                    grads = [p.grad for row in matrix for p in row]
                    nodes = [node for row in weights[name] for node in row]
                    largest = max(abs(node.grad) for node in nodes)
                    for grad, node in zip(grads, nodes):
                        error = min(1e-10 * max(largest, 1e-6), rounding * bound.get(node, 0.0))
                        self.assertLessEqual(abs(grad - node.grad), error, name)

    def test_shape_of_the_cache(self):
        settings = Settings(n_layer=3, n_head=2, n_embd=6)
        cache = empty_cache(settings)
        state_dict = init_state_dict(settings, 5, random.Random(0))
        for pos_id in range(4):
            self.assertEqual(len(microgpt.gpt(state_dict, 0, pos_id, cache, settings)), 5)
        self.assertEqual([len(layer) for layer in cache], [2, 2, 2])
        for rows in (rows for layer in cache for head in layer for rows in head):
            self.assertEqual([len(row) for row in rows], [3] * 4)  # keys, or values

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

    def test_softmax(self):
        rng = random.Random(6)
        for n in (1, 2, 5, 50):
            logits, temperature = [rng.uniform(-9, 9) for _ in range(n)], rng.uniform(0.1, 3)
            expected = formulas.softmax([logit / temperature for logit in logits])
            for p, q in zip(softmax(logits, temperature), expected):
                self.assertAlmostEqual(p, q, delta=100 * n * EPS)
        self.assertEqual(softmax([1e308, 1e308, -1e308]), [0.5, 0.5, 0.0])
        # sum() of Python 3.12 and later would count the small ones
        self.assertEqual(softmax([0.0] + [-37.0] * 10)[0], 1.0)

    def test_relu_linear(self):
        x, row = [1.5, -2.0, 0.0, 0.5], [1.0, 10.0, 100.0, -4.0]
        values, weights = [Value(d) for d in x], [Value(w) for w in row]
        (out,) = microgpt.relu_linear(values, [weights])
        out.backward()
        self.assertEqual(out.data, -0.5)
        self.assertEqual([v.grad for v in values], [1.0, 0.0, 0.0, -4.0])
        self.assertEqual([w.grad for w in weights], [1.5, 0.0, 0.0, 0.5])
