"""Does Value compute what its operators say, and backward() the derivative of it?

Against derivatives by hand, central differences, and the naive autograd of naive_autograd.py.
"""

import math
import random
import unittest

from microgpt import Value, cross_entropy, dot, softmax_mean, tape
from tests.naive_autograd import Node
from tests.tolerances import path_bound, slope_and_error


class Graph(unittest.TestCase):
    def setUp(self):
        self.addCleanup(tape.clear)


class Operators(Graph):
    """Each operator, with a Value or a number on either side."""

    CASES = (  # an expression of Values a and b and a number n; d/da; d/db
        ("a + b", "1", "1"),
        ("a + n", "1", "0"),
        ("n + a", "1", "0"),
        ("a - b", "1", "-1"),
        ("a - n", "1", "0"),
        ("n - a", "-1", "0"),
        ("a * b", "b", "a"),
        ("a * n", "n", "0"),
        ("n * a", "n", "0"),
        ("a * a", "2 * a", "0"),
        ("a / b", "1 / b", "-a / b**2"),
        ("a / n", "1 / n", "0"),
        ("n / a", "-n / a**2", "0"),
        ("a ** n", "n * a ** (n - 1)", "0"),
        ("-a", "-1", "0"),
        ("exp(a)", "math.exp(a)", "0"),
        ("log(a)", "1 / a", "0"),
        ("relu(a)", "1", "0"),
        ("relu(-a)", "0", "0"),
    )

    @staticmethod
    def evaluate(expression, a, b, n):
        names = {
            "exp": lambda x: math.exp(x) if isinstance(x, float) else x.exp(),
            "log": lambda x: math.log(x) if isinstance(x, float) else x.log(),
            "relu": lambda x: max(x, 0.0) if isinstance(x, float) else x.relu(),
        }
        return eval(expression, {"math": math, "a": a, "b": b, "n": n, **names})

    def test_values_and_derivatives_by_hand(self):
        at = (1.7, 2.3, 0.6)
        for expression, da, db in self.CASES:
            with self.subTest(expression):
                a, b = Value(at[0]), Value(at[1])
                result = self.evaluate(expression, a, b, at[2])
                result.backward()
                self.assertAlmostEqual(result.data, self.evaluate(expression, *at), places=14)
                self.assertAlmostEqual(a.grad, self.evaluate(da, *at), places=14)
                self.assertAlmostEqual(b.grad, self.evaluate(db, *at), places=14)
                self.assertEqual(result.grad, 1.0)

    def test_random_points(self):
        """Against central differences, and against the naive autograd to the last bit."""
        rng = random.Random(1)
        for expression, *_ in self.CASES:
            for _ in range(40):
                *at, n = (rng.uniform(0.1, 3) for _ in range(3))
                a, b = map(Value, at)
                result = self.evaluate(expression, a, b, n)
                result.backward()
                for i, v in enumerate((a, b)):

                    def moved(x):
                        return self.evaluate(expression, *at[:i], x, *at[i + 1 :], n)

                    slope, error = slope_and_error(moved, at[i])
                    self.assertLessEqual(abs(v.grad - slope), error, (expression, at, n, i))
                x, y = map(Node, at)
                oracle = self.evaluate(expression, x, y, n)
                oracle.backward()
                bound, rounding = path_bound(oracle)
                for value, node in ((result, oracle), (a, x), (b, y)):
                    self.assertAlmostEqual(value.data, node.data, delta=4e-15 * abs(node.data))
                    error = 4 * rounding * bound.get(node, 0.0)
                    self.assertAlmostEqual(value.grad, node.grad, delta=error)

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
        for exponent, slope in ((1, 1.0), (2, 0.0), (3.5, 0.0)):
            a = Value(0.0)
            b = a**exponent
            b.backward()
            self.assertEqual((b.data, a.grad), (0.0, slope))

    def test_where_the_result_or_the_derivative_does_not_exist(self):
        for action in (
            lambda: Value(1.0) / 0,
            lambda: 1 / Value(0.0),
            lambda: Value(0.0) ** 0.5,  # the derivative
            lambda: 1 / Value(1e-200),  # the derivative is out of range
            lambda: Value(0.0).log(),
            lambda: Value(-1.0).log(),
            lambda: Value(-8.0) ** 0.5,
            lambda: Value(1e3).exp(),
        ):
            with self.assertRaises((ArithmeticError, ValueError)):
                action()

    def test_only_numbers_are_operands(self):
        for action in (
            lambda: Value(1.0) + "1",
            lambda: Value(1.0) * [1],
            lambda: "1" - Value(1.0),
            lambda: Value(1.0) / "1",
            lambda: Value(2.0) ** "1",
            lambda: Value(2.0) ** Value(1.0),
        ):
            with self.assertRaises(TypeError):
                action()

    def test_division_by_an_integer_that_has_no_negative_powers(self):
        """As those of numpy."""

        class Int64(int):
            def __pow__(self, n):
                raise ValueError("Integers to negative integer powers are not allowed.")

        self.assertEqual((Value(1.0) / Int64(2)).data, 0.5)


class VectorOperations(Graph):
    """Against the same sums made of single operations."""

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
            oracle = sum(a * b for a, b in zip(nodes[:n], nodes[n:]))
            self.assertSame(dot(values[:n], values[n:]), values, oracle, nodes)

    def test_dot_with_itself(self):
        data = self.random_numbers(5)
        values, nodes = list(map(Value, data)), list(map(Node, data))
        self.assertSame(dot(values, values), values, sum(a * a for a in nodes), nodes)

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

    def test_softmax_mean(self):
        for size, length in [(1, 1), (1, 5), (2, 3), (4, 4), (3, 8)] * 8:
            data = self.random_numbers(length * (size + 1))
            values, nodes = list(map(Value, data)), list(map(Node, data))
            mix = self.random_numbers(size)  # the gradients that arrive at the outputs
            temperature = self.rng.uniform(0.5, 3)
            rows = [values[i : i + size] for i in range(length, len(values), size)]
            outputs = softmax_mean(values[:length], rows, temperature)
            result = sum(n * out for n, out in zip(mix, outputs))

            rows = [nodes[i : i + size] for i in range(length, len(nodes), size)]
            exps = [(score / temperature).exp() for score in nodes[:length]]
            weights = [e / sum(exps) for e in exps]
            means = [sum(w * row[j] for w, row in zip(weights, rows)) for j in range(size)]
            self.assertSame(result, values, sum(n * m for n, m in zip(mix, means)), nodes)

    def test_sums_are_added_up_term_by_term(self):
        """As sum() does before Python 3.12, and no more after: these would come out as 2."""
        values = [Value(t) for t in (1.0, 1e100, 1.0, -1e100)]
        self.assertEqual(dot(values, [Value(1.0)] * 4).data, 0.0)
        (mean,) = softmax_mean([Value(0.0)] * 4, [[value] for value in values], 1.0)
        self.assertEqual(mean.data, 0.0)


class Graphs(Graph):
    def random_graph(self, leaf, numbers, size, seed):
        """`size` random operations, each on nodes made before; the same ones for the same seed."""
        rng = random.Random(seed)
        leaves = [leaf(number) for number in numbers]
        nodes = list(leaves)

        def pick():  # a few nodes are used again and again, and most now and then
            if rng.random() < 0.3:
                return nodes[rng.randrange(min(3, len(nodes)))]
            return rng.choice(nodes[-8:])

        operations = (
            lambda a, b: a + b,
            lambda a, b: a - b,
            lambda a, b: a * b,
            lambda a, b: a * a,
            lambda a, b: a / (b * b + 1),
            lambda a, b: (a * a + 0.5).log(),
            lambda a, b: (-a.relu()).exp(),
            lambda a, b: a * rng.uniform(-2, 2) + 1,
        )
        for _ in range(size):
            c = rng.choice(operations)(pick(), pick())
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

    def test_a_value_without_influence_has_gradient_zero(self):
        a, b = Value(3.0), Value(0.0)
        c = a * 7
        dead = (c * c).exp()
        (c * b).backward()
        self.assertEqual((c.grad, a.grad, b.grad, dead.grad), (0.0, 0.0, 21.0, 0.0))
