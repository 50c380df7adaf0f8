"""Automatic differentiation as plainly as it can be put: one node for every single operation.

An oracle for microgpt.Value, with which it shares no code. The graph is sorted by a recursive
search before every backward pass, and nothing is fused, as in the original script.
"""

import math
import sys

EPS = sys.float_info.epsilon


class Node:
    __slots__ = ("children", "data", "grad", "slopes")

    def __init__(self, data, children=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.children = children
        self.slopes = slopes  # d self / d child, child by child

    def __add__(self, other):
        other = other if isinstance(other, Node) else Node(other)
        return Node(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        other = other if isinstance(other, Node) else Node(other)
        return Node(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n):
        return Node(self.data**n, (self,), (n * self.data ** (n - 1),))

    def exp(self):
        return Node(math.exp(self.data), (self,), (math.exp(self.data),))

    def log(self):
        return Node(math.log(self.data), (self,), (1 / self.data,))

    def relu(self):
        return Node(max(0.0, self.data), (self,), (1.0 if self.data > 0 else 0.0,))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):
        return self + other

    def graph(self):
        """Every node that self depends on, and self: children before parents."""
        nodes, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for child in node.children:
                    visit(child)
                nodes.append(node)

        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 50_000))
        visit(self)
        sys.setrecursionlimit(limit)
        return nodes

    def backward(self):
        nodes = self.graph()
        self.grad = 1.0
        for node in reversed(nodes):
            for child, slope in zip(node.children, node.slopes):
                child.grad += slope * node.grad


def path_bound(result):
    """For each node of a naive graph, the sum over all paths to it of the product of |slopes|.

    Two ways to add up the same gradient, each rounding at most once for each of the N nodes,
    differ by no more than 2 * N * EPS of that. Returns the bounds, and that factor.
    """
    nodes = result.graph()
    bound = dict.fromkeys(nodes, 0.0)
    bound[result] = 1.0
    for node in reversed(nodes):
        for child, slope in zip(node.children, node.slopes):
            bound[child] += abs(slope) * bound[node]
    return bound, 2 * len(nodes) * EPS
