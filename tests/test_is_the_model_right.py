"""Does the model compute the loss that the formulas define, and its derivative, in any shape?"""

import random
import unittest

from microgpt import (
    Settings,
    Value,
    Vector,
    document_loss,
    empty_cache,
    gather,
    gpt,
    init_state_dict,
    rmsnorm,
    softmax,
)  # fmt: skip
from tests import formulas
from tests.naive_autograd import Node
from tests.test_is_the_gradient_right import EPS, path_bound, slope_and_error


def shapes(count):
    """Random settings with a random model, as Values, and documents of the lengths that matter."""
    rng = random.Random(4)
    for i in range(count):
        n_head = rng.randint(1, 4)
        settings = Settings(
            n_layer=i % 3 + 1,
            n_head=n_head,
            n_embd=n_head * rng.randint(1, 3),
            block_size=rng.randint(2, 5),
        )
        vocab_size = rng.randint(2, 6)
        state_dict = init_state_dict(settings, vocab_size, rng)
        for row in (row for matrix in state_dict.values() for row in matrix):
            for p in row:
                p.data *= 10  # far from the start, where much is nearly linear
        bos, block_size = vocab_size - 1, settings.block_size
        for length in sorted({1, block_size - 1, block_size, block_size + 3}):
            doc = [rng.randrange(bos) for _ in range(length)]
            yield settings, state_dict, [bos, *doc, bos]


def converted(state_dict, number):
    return {
        name: [[number(p.data) for p in row] for row in matrix]
        for name, matrix in state_dict.items()
    }


class TheLoss(unittest.TestCase):
    def test_loss_and_gradient_of_every_parameter(self):
        for settings, state_dict, tokens in shapes(9):
            with self.subTest(settings=settings, tokens=tokens):
                s = vars(settings)
                weights = converted(state_dict, Node)
                oracle = formulas.loss(s, weights, tokens)
                oracle.backward()
                bound, rounding = path_bound(oracle)
                loss = document_loss(state_dict, tokens, settings)
                loss.backward()
                self.assertAlmostEqual(loss.data, oracle.data, delta=rounding * oracle.data)
                for name, matrix in state_dict.items():
                    for i, row in enumerate(matrix):
                        for j, p in enumerate(row):
                            node = weights[name][i][j]
                            self.assertLessEqual(
                                abs(p.grad - node.grad),
                                rounding * bound.get(node, 0.0),
                                (name, i, j),
                            )
                            p.grad = 0.0

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
                grad = matrix[i][j].grad
                self.assertLessEqual(abs(grad - slope), error, (settings, tokens, name, i, j))
            for p in (p for matrix in state_dict.values() for row in matrix for p in row):
                p.grad = 0.0

    def test_every_matrix_gets_a_gradient(self):
        for settings, state_dict, tokens in shapes(3):
            document_loss(state_dict, tokens, settings).backward()
        for name, matrix in state_dict.items():
            self.assertTrue(any(p.grad for row in matrix for p in row), name)

    def test_a_parameter_changed_by_hand_counts_at_once(self):
        settings, state_dict, tokens = next(shapes(1))
        state_dict["lm_head"][0][0].data += 1.0
        oracle = formulas.loss(vars(settings), converted(state_dict, float), tokens)
        loss = document_loss(state_dict, tokens, settings)
        self.assertAlmostEqual(loss.data, oracle, places=12)
        loss.backward()


class TheLogits(unittest.TestCase):
    def test_cache_gives_what_a_recomputation_gives(self):
        for settings, state_dict, tokens in shapes(9):
            tokens = tokens[: settings.block_size]
            weights, cache = gather(state_dict), empty_cache(settings)
            whole = formulas.logits(vars(settings), converted(state_dict, float), tokens)
            for pos_id, token_id in enumerate(tokens):
                logits = [v.data for v in gpt(weights, token_id, pos_id, cache)]
                for got, expected in zip(logits, whole[pos_id]):
                    self.assertAlmostEqual(got, expected, places=11)
                fresh = empty_cache(settings)
                for earlier in range(pos_id + 1):
                    again = gpt(weights, tokens[earlier], earlier, fresh)
                self.assertEqual(logits, [v.data for v in again])
        again[0].backward()

    def test_shape_of_the_cache(self):
        settings = Settings(n_layer=3, n_head=2, n_embd=6)
        cache = empty_cache(settings)
        weights = gather(init_state_dict(settings, 5, random.Random(0)))
        for pos_id in range(4):
            self.assertEqual(len(gpt(weights, 0, pos_id, cache)), 5)
        self.assertEqual([len(heads) for heads in cache], [2, 2, 2])
        for heads in cache:
            for keys, channels in heads:
                self.assertEqual([len(key) for key in keys], [3] * 4)
                self.assertEqual([len(channel) for channel in channels], [4] * 3)

    def test_shapes_and_names_of_the_parameters(self):
        settings = Settings(n_layer=2, n_embd=6, n_head=2, block_size=7)
        state_dict = init_state_dict(settings, 5, random.Random(0))
        sizes = {name: (len(m), {len(row) for row in m}) for name, m in state_dict.items()}
        layer = {"attn_wq": (6, {6}), "attn_wk": (6, {6}), "attn_wv": (6, {6}),
                 "attn_wo": (6, {6}), "mlp_fc1": (24, {6}), "mlp_fc2": (6, {24})}  # fmt: skip
        expected = {"wte": (5, {6}), "wpe": (7, {6}), "lm_head": (5, {6})}
        for i in range(2):
            expected.update({f"layer{i}.{name}": size for name, size in layer.items()})
        self.assertEqual(sizes, expected)
        self.assertEqual(list(sizes), list(expected))
        rng = random.Random(0)
        for p in (p for matrix in state_dict.values() for row in matrix for p in row):
            self.assertEqual(p.data, rng.gauss(0, 0.08))


class TheParts(unittest.TestCase):
    def test_softmax(self):
        rng = random.Random(6)
        for n in (1, 2, 5, 50):
            logits = [rng.uniform(-9, 9) for _ in range(n)]
            probs = softmax(logits)
            for p, expected in zip(probs, formulas.softmax(logits)):
                self.assertAlmostEqual(p, expected, delta=n * EPS)
        self.assertEqual(softmax([1e308, 1e308, -1e308]), [0.5, 0.5, 0.0])

    def test_rmsnorm(self):
        x = [3.0, -4.0, 0.0]
        for scale in (1.0, 1e-3):  # at the smaller one, the 1e-5 under the root is most of it
            data = [scale * x_i for x_i in x]
            root = (sum(d * d for d in data) / 3 + 1e-5) ** 0.5
            for value, d in zip(rmsnorm([Value(d) for d in data]), data):
                self.assertAlmostEqual(value.data, d / root, places=14)

    def test_vector(self):
        vector = Vector([Value(1.0), Value(2.0)])
        vector.append(Value(3.0))
        self.assertEqual((len(vector), vector.data), (3, [1.0, 2.0, 3.0]))
