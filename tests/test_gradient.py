"""Does Value compute what its operators say, and backward() the derivative of it?

To the last bit what naive.py computes, an operation at a time.
"""

import math
import random
import unittest
from itertools import accumulate
from unittest import mock

import microgpt
from microgpt import Value, linear, softmax, tape
from tests import start
from tests.naive import Node
from tests.naive import softmax as naive_softmax

EXPRESSIONS = (  # of two variables and a number
    *("a + b", "a + n", "n + a", "a - b", "a - n", "n - a", "-a", "a + b + a + 3 * a"),
    *("a * b", "a * n", "n * a", "a * a", "a / b", "a / n", "n / a", "a ** n"),
    *("a ** 1", "a ** 2", "a ** 3.5", "a.exp()", "a.log()", "a.relu()", "(-a).relu()"),
    *("a / 0", "(a * 1e3).exp()", "(-a).log()", "a + 'b'", "'b' * a", "a / 'b'", "a ** b"),
)


def outcome(expression, number, a, b, n):
    """The result and its derivatives with respect to a and b; or the type of the error."""
    a, b = number(a), number(b)
    try:
        result = eval(expression, {"a": a, "b": b, "n": n})
        result.backward()
    except (ArithmeticError, TypeError, ValueError) as error:
        return type(error)
    finally:
        tape.clear()
    return result.data, result.grad, a.grad, b.grad


class Gradients(unittest.TestCase):
    def setUp(self):
        self.addCleanup(tape.clear)

    def test_of_operators(self):
        """With a Value or a number on either side, and at zero, too."""
        rng = random.Random(1)
        points = [[rng.uniform(0.1, 3) for _ in range(3)] for _ in range(50)]
        for expression in EXPRESSIONS:
            code = compile(expression, expression, "eval")
            for point in [(0.0, 0.5, 2.0), *points]:
                got, expected = (outcome(code, kind, *point) for kind in (Value, Node))
                self.assertEqual(got, expected, (expression, point))

    def test_of_division(self):
        """It is x**-1, which is not always 1 / x; the integers of numpy want -1.0 there."""
        for x in range(1, 20_000):
            self.assertEqual((Value(1.0) / (x / 7)).data, (x / 7) ** -1)

        class Int64(int):
            def __pow__(self, n):
                if isinstance(n, int):
                    raise ValueError("Integers to negative integer powers are not allowed.")
                return float(self) ** n

        self.assertEqual((Value(1.0) / Int64(2)).data, 0.5)

    def test_of_linear(self):
        """Of a vector with itself, and of one of its elements with columns."""
        a, b = Value(2.0), Value(3.0)
        [result] = linear([a, b], [(a, b)])
        result.backward()
        self.assertEqual((repr(result), a.grad, b.grad), ("Value(data=13.0, grad=1.0)", 4.0, 6.0))
        rows = [Value(5.0), Value(7.0)], [Value(11.0), Value(13.0)]
        first, second = linear([a, b], zip(*rows))
        (first + second * 10).backward()
        self.assertEqual((first.data, second.data), (43.0, 53.0))
        self.assertEqual((a.grad - 4.0, b.grad - 6.0), (5.0 + 70.0, 11.0 + 130.0))
        self.assertEqual([value.grad for row in rows for value in row], [2.0, 20.0, 3.0, 30.0])

    def test_of_softmax(self):
        """Where each probability matters in another way, and some do not."""
        rng = random.Random(6)
        for n in (1, 2, 3, 5, 50):
            temperature = rng.choice((0.1, 0.5, 2.0, 3.0))
            data = [rng.uniform(-9, 9) for _ in range(n)]
            factors = [rng.choice((0.0, rng.uniform(-2, 2))) for _ in range(n)]
            values, nodes = [Value(x) for x in data], [Node(x) for x in data]
            probs = softmax(values, temperature)
            naive_probs = naive_softmax([node / temperature for node in nodes])
            self.assertEqual([p.data for p in probs], [p.data for p in naive_probs])
            linear(probs, [[Value(factor) for factor in factors]])[0].backward()
            sum(p * factor for p, factor in zip(naive_probs, factors)).backward()
            self.assertEqual([p.grad for p in probs], factors)
            self.assertEqual([v.grad for v in values], [node.grad for node in nodes])

    def test_softmax_of_scores_that_are_huge(self):
        big = [Value(x) for x in (1e308, 1e308, -1e308)]
        self.assertEqual([p.data for p in softmax(big)], [0.5, 0.5, 0.0])

    def test_of_a_model_that_was_changed_at_its_end(self):
        """They are what difference quotients say, whatever becomes of the logits."""
        gpt, two = microgpt.gpt, Value(2.0)
        state_dict, tokenizer, _, settings, _ = start(["abcab"], n_embd=4, n_head=2)
        params = [p for matrix in state_dict.values() for row in matrix for p in row[:2]]
        for i, p in enumerate(params):
            p.data = math.sin(i)  # where no derivative is small
        for change in (
            lambda logits: [30 - 60 / ((z / 15).exp() + 1) for z in logits],
            lambda logits: [z * 2 - 1 for z in logits],
            lambda logits: [z / two for z in logits],
            lambda logits: linear(logits, [logits] * len(logits)),
            lambda logits: list(accumulate(logits, initial=two))[1:],  # one from the other
            lambda logits: logits[::-1],
            lambda logits: [logits[0], *logits[:-1]],
        ):

            def loss(change=change):
                with mock.patch.object(microgpt, "gpt", lambda *args: change(gpt(*args))):
                    return microgpt.document_loss(state_dict, tokenizer.encode("abcab"), settings)

            for p in params:
                p.grad = 0.0
            loss().backward()
            for p in params[::7]:
                p.data += 1e-5
                more = loss().data
                p.data -= 2e-5
                quotient = (more - loss().data) / 2e-5
                p.data += 1e-5
                self.assertAlmostEqual(p.grad, quotient, delta=1e-7)
            tape.clear()

    def test_sums_are_added_up_term_by_term(self):
        """As sum() does before Python 3.12, and no more after: 2 and less than 1 there."""
        values = [Value(t) for t in (1.0, 1e100, 1.0, -1e100)]
        self.assertEqual(linear(values, [[Value(1.0)] * 4])[0].data, 0.0)
        self.assertEqual(softmax([Value(t) for t in (0.0, *[-37.0] * 10)])[0].data, 1.0)

    def random_graph(self, number, seed):
        """Hundreds of operations, each on some that were made before; a few are used by many."""
        rng = random.Random(seed)
        nodes = [number(rng.uniform(-2, 2)) for _ in range(3)]
        operations = (
            lambda a, b: a + b,
            lambda a, b: a - b,
            lambda a, b: a * b,
            lambda a, b: a / (b * b + 1),
            lambda a, b: (a * a + 0.5).log(),
            lambda a, b: (-a.relu()).exp(),
        )
        for _ in range(rng.choice((5, 20, 100, 500))):
            a, b = rng.choice(nodes[-8:]), rng.choice([*nodes[:3], nodes[-1]])
            node = rng.choice(operations)(a, b)
            nodes.append(node / (node.data * 2) if abs(node.data) > 4 else node)  # stay small
        unused = nodes[-2] * 3
        return nodes, nodes[-1] + nodes[-1] * nodes[len(nodes) // 2], unused

    def test_of_random_graphs(self):
        """With a tolerance: no order of the sums is promised, and here it is not the naive one."""
        for seed in range(60):
            values, result, unused = self.random_graph(Value, seed)
            nodes, naive, _ = self.random_graph(Node, seed)
            self.assertEqual(result.data, naive.data)
            result.backward()
            naive.backward()
            error = 1e-12 * max(abs(node.grad) for node in nodes)
            for value, node in zip(values, nodes):
                self.assertAlmostEqual(value.grad, node.grad, delta=error, msg=seed)
            self.assertEqual(unused.grad, 0.0)  # it leads nowhere
            tape.clear()
