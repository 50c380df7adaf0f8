"""Does Value compute what its operators say, and backward() the derivative of it?"""

import math
import unittest

from microgpt import Value, Vector, dot


class Operators(unittest.TestCase):
    """Each operator, with a Value or a number on either side, against the derivative by hand."""

    a, b, n = 1.7, 2.3, 0.6

    CASES = {
        # name: (function of Values a and b and number n, value, d/da, d/db)
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

    def test_integers(self):
        a = Value(3)
        b = 2 * a**2 - a / 4 + 1
        b.backward()
        self.assertEqual((b.data, a.grad), (18.25, 11.75))

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

    def test_powers_at_zero(self):
        for exponent, slope in ((0, 0.0), (1, 1.0), (2, 0.0), (3.5, 0.0)):
            a = Value(0.0)
            b = a**exponent
            b.backward()
            self.assertEqual((b.data, a.grad), (0.0**exponent, slope))
