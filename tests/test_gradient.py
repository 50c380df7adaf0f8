"""Does Value compute what its operators say, and backward() the derivative of it?

To the last bit what naive.py computes, an operation at a time.
"""

import math
import random
import unittest
from itertools import accumulate
from unittest import mock

from naive import Node
from naive import softmax as naive_softmax
from support import untrained

import microgpt
from microgpt import Value, linear, softmax, tape

EXPRESSIONS = (  # of two variables, and a number on the right (n) or on the left (m)
    *("a + b", "a + n", "m + a", "a - b", "a - n", "m - a", "-a", "a + b + a + m * a"),
    *("a * b", "a * n", "m * a", "a * a", "a / b", "a / n", "m / a", "a ** n"),
    *("a ** 1", "a ** 2", "a ** 3.5", "a.exp()", "a.log()", "a.relu()", "(-a).relu()"),
    *("a / 0", "(a * 1e3).exp()", "(-a).log()", "a + 'b'", "a * 'b'", "a / 'b'", "a ** b"),
)


def outcome(expression, number, a, b, n):
    """The result and its derivatives with respect to a and b; or the type of the error."""
    a, b = number(a), number(b)
    try:
        m = Node(n) if number is Node else n  # Node takes no number on its left
        result = eval(expression, {"a": a, "b": b, "n": n, "m": m})
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
        """It is x**-1, which is not always 1 / x."""
        for x in range(1, 20_000):
            self.assertEqual((Value(1.0) / (x / 7)).data, (x / 7) ** -1)

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
        self.assertEqual([result.data for result in linear([], [[], []])], [0.0, 0.0])

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

    def test_of_a_model_that_was_changed_at_its_end(self):
        """They are what difference quotients say, whatever becomes of the logits."""
        gpt, two = microgpt.gpt, Value(2.0)
        state_dict, _, _, settings, _ = untrained(["abcab"], n_embd=4, n_head=2)
        params = [p for matrix in state_dict.values() for p in matrix[0][:2]]
        for i, p in enumerate(params):
            p.data = math.sin(i)  # where no derivative is small
        for change in (
            lambda logits: [30 - 60 / ((z / 15).exp() + 1) for z in logits],
            lambda logits: [z * 2 - 1 for z in logits],
            lambda logits: [z / two for z in logits],
            lambda logits: linear(logits, [logits] * len(logits)),
            lambda logits: list(accumulate(logits, initial=two))[1:],  # one from the other
            lambda logits: [logits[0], *logits[:-1]],
            lambda logits: [linear(logits, [logits]), logits][1],  # something is computed later
        ):

            def loss():
                return microgpt.document_loss(state_dict, [3, 0, 1, 2, 0, 1, 3], settings)

            with mock.patch.object(microgpt, "gpt", lambda *args, f=change: f(gpt(*args))):
                loss().backward()
                for p in params:
                    p.data += 1e-5
                    more = loss().data
                    p.data -= 2e-5
                    quotient = (more - loss().data) / 2e-5
                    p.data += 1e-5
                    self.assertAlmostEqual(p.grad, quotient, delta=1e-7)
                    p.grad = 0.0
            tape.clear()
