"""Does Value compute what its operators say, and backward() the derivative of it?

Against derivatives by hand, and the naive autograd of naive_autograd.py.
"""

import math
import random
import unittest

from microgpt import Value, cross_entropy, dot, softmax_mean, tape
from tests.naive_autograd import EPS, Node, path_bound

FUNCTIONS = {
    "exp": lambda x: math.exp(x) if isinstance(x, float) else x.exp(),
    "log": lambda x: math.log(x) if isinstance(x, float) else x.log(),
    "relu": lambda x: max(x, 0.0) if isinstance(x, float) else x.relu(),
}


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
        ("exp(a)", "exp(a)", "0"),
        ("log(a)", "1 / a", "0"),
        ("relu(a)", "1", "0"),
        ("relu(-a)", "0", "0"),
    )

    def test_values_and_derivatives_by_hand(self):
        rng = random.Random(1)
        for case in self.CASES * 20:
            at = {name: rng.uniform(0.1, 3) for name in "abn"}
            expected, da, db = (eval(text, {**FUNCTIONS, **at}) for text in case)
            a, b = Value(at["a"]), Value(at["b"])
            result = eval(case[0], {**FUNCTIONS, **at, "a": a, "b": b})
            result.backward()
            self.assertEqual(result.grad, 1.0)
            for got, hand in ((result.data, expected), (a.grad, da), (b.grad, db)):
                self.assertAlmostEqual(got, hand, delta=4 * EPS * abs(hand), msg=(case, at))

    def test_where_the_derivative_is_special(self):
        for function, x, expected in (
            (lambda a: 2 * a**2 - a / 4 + 1, 3, (18.25, 11.75)),  # an integer
            (Value.relu, 0.0, (0.0, 0.0)),
            (lambda a: a**1, 0.0, (0.0, 1.0)),
            (lambda a: a**2, 0.0, (0.0, 0.0)),
            (lambda a: a**3.5, 0.0, (0.0, 0.0)),
        ):
            a = Value(x)
            result = function(a)
            result.backward()
            self.assertEqual((result.data, a.grad), expected)

    def test_what_is_refused(self):
        for errors, *actions in (
            (
                (ArithmeticError, ValueError),  # no such number, or no such derivative
                lambda: Value(1.0) / 0,
                lambda: 1 / Value(0.0),
                lambda: Value(0.0) ** 0.5,
                lambda: 1 / Value(1e-200),
                lambda: Value(0.0).log(),
                lambda: Value(-1.0).log(),
                lambda: Value(-8.0) ** 0.5,
                lambda: Value(1e3).exp(),
            ),
            (
                TypeError,
                lambda: Value(1.0) + "1",
                lambda: Value(1.0) * [1],
                lambda: "1" - Value(1.0),
                lambda: Value(1.0) / "1",
                lambda: Value(2.0) ** "1",
                lambda: Value(2.0) ** Value(1.0),
            ),
        ):
            for i, action in enumerate(actions):
                with self.subTest(errors, i=i), self.assertRaises(errors):
                    action()

    def test_division_by_an_integer_of_numpy(self):
        class Int64(int):
            def __pow__(self, n):
                raise ValueError("Integers to negative integer powers are not allowed.")

        self.assertEqual((Value(1.0) / Int64(2)).data, 0.5)

    def test_how_it_is_shown(self):
        self.assertEqual(repr(Value(2.0) * 3), "Value(data=6.0, grad=0.0)")


class VectorOperations(Graph):
    """What test_model does not say of them."""

    def test_dot_with_itself(self):
        a, b = Value(2.0), Value(3.0)
        result = dot([a, b], [a, b])
        result.backward()
        self.assertEqual((result.data, a.grad, b.grad), (13.0, 4.0, 6.0))

    def test_cross_entropy_far_out(self):
        """Where the probability of the target rounds to 0 the loss is still the difference."""
        values = [Value(1000.0), Value(-1000.0)]
        loss = cross_entropy(values, 1)
        loss.backward()
        self.assertEqual((loss.data, values[0].grad, values[1].grad), (2000.0, 1.0, -1.0))

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
