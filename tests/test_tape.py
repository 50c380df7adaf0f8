"""Whatever is done with the tape: is every gradient right, or an error raised?"""

import math
import unittest

import support  # noqa: F401, so that microgpt is found

from microgpt import Value, linear, softmax, tape


class TheTape(unittest.TestCase):
    def setUp(self):
        tape.clear()
        self.addCleanup(tape.clear)

    def test_may_be_gone_through_for_one_loss_after_the_other(self):
        """For the same one again, and for those that are not the last thing computed."""
        a, b = Value(0.0), Value(0.0)
        shared = a * 2
        probs = softmax([shared, b])
        losses = (  # and the gradients of a, b, shared and the probabilities
            (shared * 5, [10, 0, 5, 0, 0]),
            (shared * 7, [14, 0, 7, 0, 0]),
            (probs[0] * 8, [4, -2, 2, 8, 0]),
            (linear(probs, [[Value(4.0), Value(-4.0)]])[0], [4, -2, 2, 4, -4]),
            (probs[0] * 8 + shared * 5, [14, -2, 7, 8, 0]),
        )
        for i in (0, 0, 1, 1, 2, 3, 3, 4, 2, 0):
            a.grad = b.grad = 0.0
            loss, grads = losses[i]
            loss.backward()
            self.assertEqual([node.grad for node in (a, b, shared, *probs)], grads)
            self.assertEqual([loss.grad for loss, _ in losses], [i == j for j in range(5)])

    def test_has_no_leaves_so_they_add_up_until_they_are_set_back(self):
        a, b = Value(3.0), Value(4.0)
        (a * 5).backward()
        (a * b).backward()
        a.backward()
        self.assertEqual((a.grad, b.grad), (10.0, 3.0))
        a.grad = 0.0
        (a * a).backward()
        self.assertEqual((a.grad, b.grad), (6.0, 3.0))

    def test_may_hold_numbers_that_are_not_finite(self):
        """As it does after divergence: they do not get into the gradients of something else."""
        a = Value(1.0)
        b = a * 3
        softmax(linear([a * math.inf], [[a], [a]]))
        b.backward()
        self.assertEqual(a.grad, 3.0)

    def test_may_be_long(self):
        """Longer than any recursion could go, in backward() or when the chain is freed."""
        a = b = Value(1.0)
        for _ in range(100_000):
            b = b + a
        b.backward()
        self.assertEqual((b.data, a.grad), (100_001.0, 100_001.0))
        tape.clear()
        del b

    def test_may_be_cleared(self):
        """What was computed before is a constant then, whose backward() is an error."""
        a, b = Value(3.0), Value(4.0)
        before = a * b
        gone = [before, *linear([a], [[a]]), *softmax([a, a])]
        tape.clear()
        loss = before * a
        self.assertFalse(hasattr(loss, "__dict__"))  # slots are smaller
        for times in (1, 2):  # what is not on the tape adds up, as leaves do
            loss.backward()
            self.assertEqual((loss.grad, a.grad, before.grad), (1.0, times * 12.0, times * 3.0))
        for value in gone:
            with self.assertRaisesRegex(RuntimeError, "no longer on the tape$"):
                value.backward()
        self.assertEqual((loss.data, b.grad), (36.0, 0.0))
        self.assertEqual([value.grad for value in gone], [6.0, 0.0, 0.0, 0.0])
