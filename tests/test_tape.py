"""Whatever is done with the tape: is every gradient right, or an error raised?"""

import random
import unittest

import microgpt
from microgpt import Value, dot, softmax, tape
from tests import parameters, start


class TheTape(unittest.TestCase):
    def setUp(self):
        tape.clear()
        self.addCleanup(tape.clear)

    def test_holds_what_was_computed_children_first(self):
        a = Value(3.0)
        b = a * 2
        c = dot([a, b], [b, a])
        probs = softmax([b, c])
        for _ in range(2):
            order = [node for node in tape if node in (b, c, *probs)]
            self.assertEqual(order, [b, c, *probs])
            self.assertNotIn(a, tape)
            b.backward()
        self.assertFalse(hasattr(c, "__dict__"))  # slots are smaller

    def test_two_losses_over_a_shared_graph_each_of_them_twice(self):
        a = Value(3.0)
        shared = a * 2
        losses = {n: shared * n for n in (5, 7)}
        total = 0.0
        for n in (5, 5, 7, 7, 5):
            losses[n].backward()
            total += 2 * n
            self.assertEqual((a.grad, shared.grad), (total, n))
            self.assertEqual([loss.grad for loss in losses.values()], [n == 5, n == 7])

    def test_two_losses_over_a_shared_softmax(self):
        a, b = Value(0.0), Value(0.0)
        probs = softmax([a, b])
        losses = [probs[0] * 8, dot(probs, [Value(4.0), Value(-4.0)])]
        for loss, grads, slope in ((losses[0], [8, 0], 2.0), (losses[1], [4, -4], 2.0)):
            a.grad = b.grad = 0.0
            loss.backward()
            self.assertEqual([prob.grad for prob in probs], grads)
            self.assertEqual((a.grad, b.grad), (slope, -slope))

    def test_a_loss_that_is_not_the_last_thing_computed(self):
        a = Value(3.0)
        loss = a * 5
        later = softmax([loss * 100, a])[0]
        loss.backward()
        self.assertEqual((a.grad, later.grad), (5.0, 0.0))

    def test_leaves_add_up_until_they_are_set_back(self):
        a, b = Value(3.0), Value(4.0)
        (a * 5).backward()
        (a * b).backward()
        a.backward()
        self.assertEqual((a.grad, b.grad), (10.0, 3.0))
        a.grad = 0.0
        (a * a).backward()
        self.assertEqual((a.grad, b.grad), (6.0, 3.0))

    def test_a_backward_that_was_interrupted_leaves_no_trace_but_in_leaves(self):
        a, b = Value(3.0), Value(4.0)
        product = a * b
        loss = product * 2 + product
        interrupted, loss._backprop = loss._backprop, self.interrupt
        self.assertRaises(RuntimeError, (loss * 1).backward)
        loss._backprop = interrupted
        a.grad = b.grad = 0.0
        loss.backward()
        self.assertEqual((a.grad, b.grad, product.grad), (12.0, 9.0, 3.0))

    def interrupt(self, node):
        raise RuntimeError

    def test_a_long_chain_needs_no_recursion(self):
        a = b = Value(1.0)
        for _ in range(300_000):
            b = b + a
        b.backward()
        self.assertEqual((b.data, a.grad), (300_001.0, 300_001.0))
        tape.clear()
        del b  # now the last node frees the one before it, and so on

    def test_what_was_computed_before_it_was_cleared_is_a_constant(self):
        a, b = Value(3.0), Value(4.0)
        before = a * b
        tape.clear()
        loss = before * a
        loss.backward()
        self.assertEqual((loss.data, a.grad, b.grad, before.grad), (36.0, 12.0, 0.0, 3.0))

    def test_backward_of_what_has_left_it_is_refused_and_changes_nothing(self):
        a = Value(3.0)
        gone = [a * 2, dot([a], [a]), *softmax([a, a])]
        tape.clear()
        fresh = a * 5
        fresh.backward()
        for value in gone:
            self.assertRaises(RuntimeError, value.backward)
        self.assertEqual((a.grad, fresh.grad), (5.0, 1.0))
        self.assertEqual([value.grad for value in gone], [0.0] * len(gone))

    def test_a_sample_in_the_middle_of_a_computation_leaves_it_as_it_was(self):
        state_dict, tokenizer, docs, settings, _ = start(["abc"], n_embd=4, n_head=2, block_size=4)
        params = parameters(state_dict).values()
        grads = []
        for interruption in (False, True):
            for p in params:
                p.grad = 0.0
            loss = microgpt.document_loss(state_dict, tokenizer.encode(docs[0]), settings)
            if interruption:
                before = list(tape)
                microgpt.sample(state_dict, tokenizer, settings, random.Random(2))
                self.assertEqual(tape, before)
            (loss * loss).backward()
            grads.append([p.grad for p in params])
        self.assertEqual(*grads)
        self.assertTrue(any(grads[0]))
