"""Does Value compute what its operators say, and backward() the derivative of it?"""

import math
import random
import sys
import unittest
from unittest import mock

import microgpt
from microgpt import PairSum, Value, Vector, attention, cross_entropy, dot
from tests.naive_autograd import Node

EPS = sys.float_info.epsilon


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def slope_and_error(f, x):
    """f'(x) by central differences, and how far off that can be.

    The error of truncation falls with h**2: it is a third of the change from 2h to h. That of
    rounding is the last few bits of f, divided by h; h is where the two are about equal.
    """
    h = EPS ** (1 / 3) * max(1.0, abs(x))
    slope = central_difference(f, x, h)
    rounding = 16 * EPS * max(abs(f(x + h)), abs(f(x - h)), 1.0) / h
    return slope, abs(central_difference(f, x, 2 * h) - slope) + rounding


class Operators(unittest.TestCase):
    """Each operator, with a Value or a number on either side, against the derivative by hand."""

    a, b, n = 1.7, 2.3, 0.6

    CASES = {
        # name: (function of Values a and b and a number n, its value, d/da, d/db)
        "a + b": (lambda a, b, n: a + b, a + b, 1, 1),
        "a + n": (lambda a, b, n: a + n, a + n, 1, 0),
        "n + a": (lambda a, b, n: n + a, n + a, 1, 0),
        "a - b": (lambda a, b, n: a - b, a - b, 1, -1),
        "a - n": (lambda a, b, n: a - n, a - n, 1, 0),
        "n - a": (lambda a, b, n: n - a, n - a, -1, 0),
        "a * b": (lambda a, b, n: a * b, a * b, b, a),
        "a * n": (lambda a, b, n: a * n, a * n, n, 0),
        "n * a": (lambda a, b, n: n * a, n * a, n, 0),
        "a / b": (lambda a, b, n: a / b, a / b, 1 / b, -a / b**2),
        "a / n": (lambda a, b, n: a / n, a / n, 1 / n, 0),
        "n / a": (lambda a, b, n: n / a, n / a, -n / a**2, 0),
        "a ** b": (lambda a, b, n: a**b, a**b, b * a ** (b - 1), a**b * math.log(a)),
        "a ** n": (lambda a, b, n: a**n, a**n, n * a ** (n - 1), 0),
        "n ** a": (lambda a, b, n: n**a, n**a, n**a * math.log(n), 0),
        "-a": (lambda a, b, n: -a, -a, -1, 0),
        "exp": (lambda a, b, n: a.exp(), math.exp(a), math.exp(a), 0),
        "log": (lambda a, b, n: a.log(), math.log(a), 1 / a, 0),
        "relu": (lambda a, b, n: a.relu(), a, 1, 0),
        "relu, dead": (lambda a, b, n: (a - b).relu(), 0, 0, 0),
        "dot": (lambda a, b, n: dot(Vector([a, b]), Vector([b, b])), a * b + b * b, b, a + 2 * b),
        "a * a": (lambda a, b, n: a * a, a * a, 2 * a, 0),
    }

    def test_values_and_derivatives(self):
        for name, (function, value, da, db) in self.CASES.items():
            with self.subTest(name):
                a, b = Value(self.a), Value(self.b)
                result = function(a, b, self.n)
                result.backward()
                self.assertAlmostEqual(result.data, value, places=14)
                self.assertAlmostEqual(a.grad, da, places=14)
                self.assertAlmostEqual(b.grad, db, places=14)
                self.assertEqual(result.grad, 1.0)

    def test_random_points(self):
        """At hundreds of points, against central differences and against naive autograd."""
        rng = random.Random(1)
        for name, (function, *_) in self.CASES.items():
            if name == "dot" or "dead" in name:
                continue  # below, and at the kink
            for _ in range(40):
                at, n = [rng.uniform(0.1, 3), rng.uniform(0.1, 3)], rng.uniform(0.1, 3)
                a, b = map(Value, at)
                result = function(a, b, n)
                result.backward()
                for i, v in enumerate((a, b)):

                    def moved(x):
                        point = [Value(x) if i == j else Value(y) for j, y in enumerate(at)]
                        return function(*point, n).data

                    slope, error = slope_and_error(moved, at[i])
                    self.assertLessEqual(abs(v.grad - slope), error, (name, at, n, i))
                if name not in ("a ** b", "n ** a"):  # Node has neither
                    x, y = map(Node, at)
                    oracle = function(x, y, n)
                    oracle.backward()
                    self.assertEqual(
                        (result.data, a.grad, b.grad), (oracle.data, x.grad, y.grad), (name, at, n)
                    )

    def test_integers(self):
        a = Value(3)
        b = 2 * a**2 - a / 4 + 1
        b.backward()
        self.assertEqual((b.data, a.grad), (18.25, 11.75))

    def test_how_it_is_shown(self):
        self.assertEqual(repr(Value(2.0) * 3), "Value(data=6.0, grad=0.0)")

    def test_relu_at_zero(self):
        a = Value(0.0)
        b = a.relu()
        (b * 3).backward()
        self.assertEqual((b.data, b.grad, a.grad), (0.0, 3.0, 0.0))

    def test_powers_at_zero(self):
        for exponent, slope in ((0, 0.0), (1, 1.0), (2, 0.0), (3.5, 0.0)):
            a = Value(0.0)
            b = a**exponent
            b.backward()
            self.assertEqual((b.data, a.grad), (0.0**exponent, slope))
        a, b = Value(0.0), Value(2.0)
        (a**b).backward()
        self.assertEqual((a.grad, b.grad), (0.0, 0.0))

    def test_errors_are_those_of_numbers(self):
        for action, error in (
            (lambda: Value(1.0) / 0, ZeroDivisionError),
            (lambda: 1 / Value(0.0), ZeroDivisionError),
            (lambda: Value(0.0) ** -1, ZeroDivisionError),
            (lambda: Value(0.0).log(), ValueError),
            (lambda: Value(-1.0).log(), ValueError),
            (lambda: Value(-8.0) ** 0.5, ValueError),
            (lambda: Value(-8.0) ** Value(2.0), ValueError),
            (lambda: Value(1e3).exp(), OverflowError),
            (lambda: Value(1.0) + "1", TypeError),
        ):
            with self.assertRaises(error):
                action()


def path_bound(result):
    """For each node, the sum over all paths to it of the product of |slopes|.

    Two ways to add up the same gradient, each rounding at most once for each of the N nodes,
    differ by no more than 2 * N * EPS of that.
    """
    nodes = result.graph()
    bound = dict.fromkeys(nodes, 0.0)
    bound[result] = 1.0
    for node in reversed(nodes):
        for child, slope in zip(node.children, node.slopes):
            bound[child] += abs(slope) * bound[node]
    return bound, 2 * len(nodes) * EPS


class NaryNodes(unittest.TestCase):
    """The nodes of many children, against the same sums made of single operations."""

    def assertSame(self, result, values, oracle, nodes):
        result.backward()
        oracle.backward()
        bound, rounding = path_bound(oracle)
        self.assertLessEqual(abs(result.data - oracle.data), rounding * max(1, abs(oracle.data)))
        for value, node in zip(values, nodes):
            self.assertLessEqual(abs(value.grad - node.grad), rounding * max(1, bound.get(node, 0)))

    def random_numbers(self, n):
        return [self.rng.choice((-1, 1)) * self.rng.uniform(0.1, 3) for _ in range(n)]

    def setUp(self):
        self.rng = random.Random(2)

    def test_dot(self):
        for n in [1, 2, 3, 16, 64] * 20:
            data = self.random_numbers(2 * n)
            values, nodes = list(map(Value, data)), list(map(Node, data))
            result = dot(Vector(values[:n]), Vector(values[n:]))
            oracle = sum(a * b for a, b in zip(nodes[:n], nodes[n:]))
            self.assertIsInstance(result, PairSum)
            self.assertSame(result, values, oracle, nodes)

    def test_dot_with_itself(self):
        data = self.random_numbers(5)
        values, nodes = list(map(Value, data)), list(map(Node, data))
        vector = Vector(values)
        self.assertSame(dot(vector, vector), values, sum(a * a for a in nodes), nodes)

    def test_cross_entropy(self):
        for n in [2, 3, 27, 58] * 20:
            data, target = self.random_numbers(n), self.rng.randrange(n)
            values, nodes = list(map(Value, data)), list(map(Node, data))
            exps = [node.exp() for node in nodes]
            oracle = -(exps[target] / sum(exps)).log()
            self.assertSame(cross_entropy(values, target), values, oracle, nodes)

    def test_cross_entropy_far_out(self):
        """Where the probability of the target rounds to 0 the loss is still the difference."""
        values = [Value(1000.0), Value(-1000.0)]
        loss = cross_entropy(values, 1)
        loss.backward()
        self.assertEqual((loss.data, values[0].grad, values[1].grad), (2000.0, 1.0, -1.0))

    def test_attention(self):
        for size, length in [(1, 1), (1, 5), (2, 3), (4, 4), (3, 8)] * 8:
            data = self.random_numbers(size * (2 * length + 1))
            values, nodes = list(map(Value, data)), list(map(Node, data))
            mix = self.random_numbers(size)  # the gradients that arrive at the outputs
            rows = [values[i : i + size] for i in range(0, len(values), size)]
            query, *rest = map(Vector, rows)
            outputs = attention(query, rest[:length], list(map(Vector, zip(*rest[length:]))))
            result = sum(n * out for n, out in zip(mix, outputs))

            rows = [nodes[i : i + size] for i in range(0, len(nodes), size)]
            query, keys, vectors = rows[0], rows[1 : length + 1], rows[length + 1 :]
            scores = [sum(a * b for a, b in zip(query, key)) / size**0.5 for key in keys]
            exps = [score.exp() for score in scores]
            weights = [e / sum(exps) for e in exps]
            means = [sum(w * v[j] for w, v in zip(weights, vectors)) for j in range(size)]
            oracle = sum(n * mean for n, mean in zip(mix, means))
            self.assertSame(result, values, oracle, nodes)


class Graphs(unittest.TestCase):
    def random_graph(self, leaf, numbers, size, seed):
        """`size` random operations, each on nodes made before; the same ones for the same seed."""
        rng = random.Random(seed)
        leaves = [leaf(number) for number in numbers]
        nodes = list(leaves)
        for _ in range(size):
            # a few nodes are used again and again, with themselves as well, and most now and then
            a, b = (nodes[rng.randrange(min(3, len(nodes)))] if rng.random() < 0.3
                    else rng.choice(nodes[-8:]) for _ in range(2))  # fmt: skip
            kind = rng.randrange(8)
            if kind == 0:
                c = a + b
            elif kind == 1:
                c = a - b
            elif kind == 2:
                c = a * b
            elif kind == 3:
                c = a * a
            elif kind == 4:
                c = a / (b * b + 1)
            elif kind == 5:
                c = (a * a + 0.5).log()
            elif kind == 6:
                c = (-a.relu()).exp()
            else:
                c = a * rng.uniform(-2, 2) + 1
            if abs(c.data) > 4:  # keep the numbers small, and the graph connected
                c = c / (c.data * 2)
            nodes.append(c)
        unused = nodes[-2] * 3  # leads nowhere
        return leaves, nodes[len(leaves) :], nodes[-1] + nodes[-1] * nodes[len(nodes) // 2], unused

    def test_random_graphs_with_heavy_reuse(self):
        rng = random.Random(3)
        for seed in range(120):
            size = rng.choice((5, 10, 20, 50, 100, 500))
            numbers = [rng.uniform(-2, 2) for _ in range(3)]
            leaves, inner, result, unused = self.random_graph(Value, numbers, size, seed)
            nodes, naive_inner, oracle, _ = self.random_graph(Node, numbers, size, seed)
            self.assertEqual(result.data, oracle.data)
            result.backward()
            oracle.backward()
            bound, rounding = path_bound(oracle)
            for value, node in zip(leaves + inner, nodes + naive_inner):
                error = rounding * bound.get(node, 0.0)
                self.assertLessEqual(abs(value.grad - node.grad), error, (seed, size))
            self.assertEqual(unused.grad, 0.0)

    def test_one_value_used_many_times(self):
        a = Value(3.0)
        sum(a for _ in range(10)).backward()
        self.assertEqual(a.grad, 10.0)
        a = Value(2.0)
        b = a * a
        c = b * b
        (c * c).backward()  # a ** 8
        self.assertEqual((a.grad, b.grad, c.grad), (8 * 2.0**7, 4 * 4.0**3, 2 * 16.0))

    def test_diamond(self):
        a = Value(3.0)
        left, right = a * 2, a * 5
        (left * right).backward()
        self.assertEqual((a.grad, left.grad, right.grad), (60.0, 15.0, 6.0))

    def test_chain_of_a_million_nodes(self):
        a = Value(1.0)
        b = a
        for _ in range(1_000_000):
            b = b + a
        b.backward()
        self.assertEqual((b.data, a.grad), (1_000_001.0, 1_000_001.0))
        self.assertEqual(microgpt.tape, [])

    def test_a_part_that_does_not_lead_to_the_result(self):
        a, b = Value(3.0), Value(4.0)
        dead = (b * b).exp() * a
        (a * 2).backward()
        self.assertEqual((a.grad, b.grad, dead.grad), (2.0, 0.0, 0.0))

    def test_zero_gradient_is_passed_on_as_zero(self):
        a, b = Value(3.0), Value(0.0)
        c = a * 7
        (c * b).backward()
        self.assertEqual((c.grad, a.grad, b.grad), (0.0, 0.0, 21.0))

    def test_where_no_gradient_arrives_no_work_is_done(self):
        a, b = Value(-1.0), Value(2.0)
        dead = a * b
        result = dead.relu() + b
        with mock.patch.object(
            Value, "_backprop", autospec=True, side_effect=Value._backprop
        ) as seen:
            result.backward()
        self.assertNotIn(dead, [call.args[0] for call in seen.call_args_list])
        self.assertEqual((a.grad, b.grad, dead.grad), (0.0, 1.0, 0.0))
