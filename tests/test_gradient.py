"""Does Value compute what its operators say, and backward() the derivative of it?

Against derivatives by hand, and the naive autograd of naive_autograd.py.
"""

import math
import random
import sys
import unittest

from microgpt import Value, dot, softmax, tape
from tests.naive_autograd import Node
from tests.naive_program import softmax as naive_softmax

EPS = sys.float_info.epsilon
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
        ("a + b + a + 3 * a", "5", "1"),
    )

    def test_have_the_derivatives_that_are_known_by_hand(self):
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

    def test_have_special_derivatives_at_zero(self):
        for function, slope in (
            (Value.relu, 0.0),
            (lambda a: a**1, 1.0),
            (lambda a: a**2, 0.0),
            (lambda a: a**3.5, 0.0),
        ):
            a = Value(0.0)
            result = function(a)
            result.backward()
            self.assertEqual((result.data, a.grad), (0.0, slope))

    def test_refuse_what_has_no_result_or_no_derivative(self):
        for text in ("a / 0", "1 / (a - 1)", "(a - 1) ** 0.5", "(a - 1).log()", "(a * 1e3).exp()"):
            with self.assertRaises((ArithmeticError, ValueError), msg=text):
                eval(text, {"a": Value(1.0)})
        for text in ("a + '1'", "a * [1]", "'1' - a", "a / '1'", "a ** '1'", "a ** a"):
            with self.assertRaises(TypeError, msg=text):
                eval(text, {"a": Value(1.0)})

    def test_divide_with_the_last_bit_of_the_original(self):
        for x in range(1, 20_000):
            self.assertEqual((Value(1.0) / (x / 7)).data, (x / 7) ** -1)

    def test_divide_by_an_integer_of_numpy(self):
        class Int64(int):
            def __pow__(self, n):
                if isinstance(n, int):
                    raise ValueError("Integers to negative integer powers are not allowed.")
                return float(self) ** n

        self.assertEqual((Value(1.0) / Int64(2)).data, 0.5)


class Vectors(Graph):
    def test_dot_with_itself(self):
        a, b = Value(2.0), Value(3.0)
        result = dot([a, b], (a, b))
        result.backward()
        self.assertEqual((result.data, a.grad, b.grad), (13.0, 4.0, 6.0))

    def test_sums_are_added_up_term_by_term(self):
        """As sum() does before Python 3.12, and no more after: 2 and less than 1 there."""
        values = [Value(t) for t in (1.0, 1e100, 1.0, -1e100)]
        self.assertEqual(dot(values, [Value(1.0)] * 4).data, 0.0)
        self.assertEqual(softmax([Value(t) for t in (0.0, *[-37.0] * 10)])[0].data, 1.0)

    def test_softmax_is_that_of_single_operations(self):
        """Its probabilities and derivatives, where each probability matters in another way."""
        rng = random.Random(6)
        for n in (1, 2, 3, 5, 50):
            temperature = rng.choice((0.1, 0.5, 2.0, 3.0))
            data = [rng.uniform(-9, 9) for _ in range(n)]
            factors = [rng.choice((0.0, rng.uniform(-2, 2))) for _ in range(n)]
            values, nodes = [Value(x) for x in data], [Node(x) for x in data]
            probs = softmax(values, temperature)
            naive_probs = naive_softmax([node / temperature for node in nodes])
            self.assertEqual([p.data for p in probs], [p.data for p in naive_probs])
            dot(probs, [Value(factor) for factor in factors]).backward()
            sum(p * factor for p, factor in zip(naive_probs, factors)).backward()
            self.assertEqual([p.grad for p in probs], factors)
            self.assertEqual([v.grad for v in values], [node.grad for node in nodes])

    def test_softmax_far_out(self):
        big = [Value(x) for x in (1e308, 1e308, -1e308)]
        self.assertEqual([p.data for p in softmax(big)], [0.5, 0.5, 0.0])
        for scores in ((math.nan, 0.0), (0.0, math.nan), (math.inf, 0.0), (math.inf, -math.inf)):
            with self.assertRaises(FloatingPointError):
                softmax([Value(x) for x in scores])


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
        return nodes, nodes[-1] + nodes[-1] * nodes[len(nodes) // 2], unused

    def test_random_graphs_with_heavy_reuse(self):
        """With a tolerance: no order of the sums is promised, and here it is not the naive one."""
        rng = random.Random(3)
        for seed in range(120):
            size = rng.choice((5, 10, 20, 50, 100, 500))
            numbers = [rng.uniform(-2, 2) for _ in range(3)]
            values, result, unused = self.random_graph(Value, numbers, size, seed)
            nodes, naive, _ = self.random_graph(Node, numbers, size, seed)
            self.assertEqual(result.data, naive.data)
            result.backward()
            naive.backward()
            error = 1e-12 * max(abs(node.grad) for node in nodes)
            for value, node in zip(values, nodes):
                self.assertAlmostEqual(value.grad, node.grad, delta=error, msg=(seed, size))
            self.assertEqual(unused.grad, 0.0)

    def test_a_tiny_gradient_is_passed_on(self):
        a = Value(3.0)
        (a * 2.0**900 * 2.0**-900).backward()
        self.assertEqual(a.grad, 1.0)
