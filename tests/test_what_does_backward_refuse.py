"""Is there a way to get wrong gradients out of backward() without being told?"""

import random
import unittest

from microgpt import (
    Settings,
    Value,
    Vector,
    dot,
    empty_cache,
    gather,
    gpt,
    init_state_dict,
    no_grad,
)  # fmt: skip


class Refusals(unittest.TestCase):
    def assertRefused(self, action):
        with self.assertRaisesRegex(RuntimeError, "let go"):
            action()

    def test_second_backward_over_the_same_graph(self):
        a = Value(3.0)
        b = a * a
        b.backward()
        self.assertRefused(b.backward)
        self.assertEqual((a.grad, b.grad, b.data), (6.0, 1.0, 9.0))

    def test_every_operation_on_a_value_of_a_graph_that_is_gone(self):
        a, b = Value(3.0), Value(4.0)
        gone = a * b
        (gone + 1).backward()
        leaf = Value(1.0)
        for name, action in {
            "+": lambda: gone + 1, "1 +": lambda: 1 + gone, "leaf +": lambda: leaf + gone,
            "-": lambda: gone - 1, "1 -": lambda: 1 - gone, "leaf -": lambda: leaf - gone,
            "*": lambda: gone * 2, "2 *": lambda: 2 * gone, "leaf *": lambda: leaf * gone,
            "/": lambda: gone / 2, "2 /": lambda: 2 / gone, "leaf /": lambda: leaf / gone,
            "**": lambda: gone**2, "2 **": lambda: 2**gone, "leaf **": lambda: leaf**gone,
            "neg": lambda: -gone, "exp": gone.exp, "log": gone.log, "relu": gone.relu,
            "vector": lambda: Vector([leaf, gone]), "append": lambda: Vector().append(gone),
            "sum": lambda: sum([leaf, gone]),
        }.items():  # fmt: skip
            with self.subTest(name):
                self.assertRefused(action)
        self.assertEqual((a.grad, b.grad), (4.0, 3.0))

    def test_a_vector_made_before_a_backward_and_used_after(self):
        a, b = Value(3.0), Value(4.0)
        inner, leaves = Vector([a * b, a]), Vector([a, b])
        dot(inner, leaves).backward()
        for x, y in ((inner, leaves), (leaves, inner), (leaves, leaves)):
            self.assertRefused(lambda: dot(x, y))
        self.assertRefused(lambda: dot(leaves, Vector([a, b])))
        unused = Vector([a * b])
        (a * b).backward()
        self.assertRefused(lambda: dot(unused, unused))
        a.grad = 0.0
        dot(Vector([a, b]), Vector([b, b])).backward()
        self.assertEqual(a.grad, 4.0)

    def test_weights_and_a_cache_made_before_a_backward(self):
        settings = Settings(n_embd=4, n_head=2)
        state_dict = init_state_dict(settings, 3, random.Random(1))
        weights, cache = gather(state_dict), empty_cache(settings)
        gpt(weights, 0, 0, cache)[0].backward()
        self.assertRefused(lambda: gpt(weights, 0, 0, empty_cache(settings)))
        self.assertRefused(lambda: gpt(gather(state_dict), 0, 1, cache))
        gpt(gather(state_dict), 0, 0, empty_cache(settings))[0].backward()

    def test_two_losses_on_one_graph(self):
        a = Value(3.0)
        shared = a * 2
        first, second = shared * 5, shared * 7
        first.backward()
        self.assertEqual((a.grad, shared.grad), (10.0, 5.0))
        self.assertRefused(second.backward)
        self.assertEqual((a.grad, shared.grad), (10.0, 5.0))

    def test_two_losses_side_by_side(self):
        a, b = Value(3.0), Value(4.0)
        first, second = a * a, b * b
        first.backward()
        self.assertEqual((a.grad, b.grad), (6.0, 0.0))
        self.assertRefused(second.backward)
        second = b * b
        second.backward()
        self.assertEqual((a.grad, b.grad), (6.0, 8.0))

    def test_the_second_loss_first(self):
        a = Value(3.0)
        first = a * 5
        second = a * 7
        second.backward()
        self.assertEqual((a.grad, first.grad), (7.0, 0.0))
        self.assertRefused(first.backward)

    def test_a_graph_continued_after_its_loss_was_taken(self):
        a = Value(3.0)
        loss = a * 5
        later = loss * 100
        loss.backward()
        self.assertEqual((a.grad, later.grad), (5.0, 0.0))
        self.assertRefused(later.backward)

    def test_the_sum_of_two_losses(self):
        a = Value(3.0)
        shared = a * 2
        (shared * 5 + shared * 7).backward()
        self.assertEqual((a.grad, shared.grad), (24.0, 12.0))

    def test_leaves_can_be_used_again_and_add_up(self):
        a = Value(3.0)
        (a * 5).backward()
        (a * 7).backward()
        self.assertEqual(a.grad, 12.0)
        a.grad = 0.0
        (a * a).backward()
        self.assertEqual(a.grad, 6.0)

    def test_a_leaf_made_before_a_backward_and_used_after(self):
        a, b = Value(3.0), Value(4.0)
        (a * 5).backward()
        (a * b).backward()
        self.assertEqual((a.grad, b.grad), (9.0, 3.0))

    def test_without_grad_in_between(self):
        a, b = Value(3.0), Value(4.0)
        shared = a * b
        with no_grad():
            constant = shared * 10 + dot(Vector([a, shared]), Vector([b, a]))
        loss = shared * constant
        loss.backward()
        self.assertEqual(constant.data, 120.0 + 12.0 + 36.0)
        self.assertEqual((a.grad, b.grad), (4.0 * 168.0, 3.0 * 168.0))
        again = constant * 2  # a constant is a leaf: it outlives every graph
        again.backward()
        self.assertEqual(constant.grad, shared.data + 2.0)

    def test_backward_of_a_leaf(self):
        a = Value(3.0)
        a.backward()
        self.assertEqual(a.grad, 1.0)
