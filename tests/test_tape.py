"""Whatever is done with the tape: is every gradient right, or an error raised?"""

import itertools
import random
import unittest

import microgpt
from microgpt import Value, dot, tape


class TheTape(unittest.TestCase):
    def setUp(self):
        tape.clear()
        self.addCleanup(tape.clear)

    def test_the_tape_holds_what_was_computed_in_order(self):
        a = Value(3.0)
        b = a * 2
        c = dot([a, b], [b, a])
        (d,) = microgpt.softmax_mean([b, b], [[a], [c]], 1.0)
        for _ in range(2):
            self.assertEqual(list(map(id, tape)), list(map(id, (b, c, d))))
            b.backward()
        self.assertFalse(hasattr(d, "__dict__"))  # slots are smaller

    def test_the_same_loss_twice(self):
        a = Value(3.0)
        b = a * a
        b.backward()
        b.backward()
        self.assertEqual((a.grad, b.grad), (12.0, 1.0))

    def test_two_losses_over_a_shared_graph_in_both_orders(self):
        for first, second in itertools.permutations((5, 7)):
            a = Value(3.0)
            shared = a * 2
            losses = {n: shared * n for n in (5, 7)}
            losses[first].backward()
            self.assertEqual((a.grad, shared.grad, losses[second].grad), (2 * first, first, 0.0))
            losses[second].backward()
            self.assertEqual((a.grad, shared.grad, losses[first].grad), (24.0, second, 0.0))

    def test_a_loss_that_is_not_the_last_thing_computed(self):
        a = Value(3.0)
        loss = a * 5
        later = loss * 100
        loss.backward()
        self.assertEqual((a.grad, later.grad), (5.0, 0.0))
        later.backward()
        self.assertEqual((a.grad, loss.grad), (505.0, 100.0))

    def test_leaves_add_up_until_they_are_set_back(self):
        a, b = Value(3.0), Value(4.0)
        (a * 5).backward()
        (a * b).backward()
        a.backward()
        self.assertEqual((a.grad, b.grad), (10.0, 3.0))
        a.grad = 0.0
        (a * a).backward()
        self.assertEqual((a.grad, b.grad), (6.0, 3.0))

    def test_a_long_chain(self):
        a = b = Value(1.0)
        for _ in range(300_000):
            b = b + a
        b.backward()
        self.assertEqual((b.data, a.grad), (300_001.0, 300_001.0))
        tape.clear()
        del b  # now the last node frees the one before it, and so on: without recursion

    def test_what_was_computed_before_is_a_constant(self):
        a, b = Value(3.0), Value(4.0)
        before = a * b
        tape.clear()
        loss = before * a
        loss.backward()
        self.assertEqual((loss.data, a.grad, b.grad, before.grad), (36.0, 12.0, 0.0, 3.0))

    def test_its_backward_is_refused_and_changes_nothing(self):
        a = Value(3.0)
        gone = [a * 2, dot([a], [a]), microgpt.cross_entropy([a, a], 0)]
        tape.clear()
        fresh = a * 5
        fresh.backward()
        for value in gone:
            with self.assertRaisesRegex(RuntimeError, "no longer on the tape"):
                value.backward()
        self.assertEqual((a.grad, fresh.grad, [v.grad for v in gone]), (5.0, 1.0, [0.0] * 3))

    def test_sampling_in_the_middle_of_a_computation(self):
        settings = microgpt.Settings(n_embd=4, n_head=2, block_size=4)
        tokenizer = microgpt.Tokenizer(["abc"])
        state_dict = microgpt.init_state_dict(settings, 4, random.Random(1))
        params = [p for matrix in state_dict.values() for row in matrix for p in row]
        grads = []
        for interruption in (False, True):
            for p in params:
                p.grad = 0.0
            half = microgpt.document_loss(state_dict, tokenizer.encode("abc"), settings)
            if interruption:
                before = list(map(id, tape))
                microgpt.sample(state_dict, tokenizer, settings, random.Random(2))
                self.assertEqual(list(map(id, tape)), before)
            (half * params[0] + params[1]).backward()
            grads.append([p.grad for p in params])
        self.assertEqual(*grads)
