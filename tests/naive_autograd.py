"""Automatic differentiation as plainly as it can be put: one node for every single operation.

An oracle for microgpt.Value, with which it shares no code. Before every backward pass the graph is
sorted depth first, and gradients are added up in that order, as in the original script.
"""

import math


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

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self**-1 * other

    def graph(self):
        """Every node that self depends on, and self: each after all of its children."""
        nodes, seen, path = [], {self}, [(self, iter(self.children))]
        while path:
            node, children = path[-1]
            child = next((child for child in children if child not in seen), None)
            if child is None:
                nodes.append(node)
                path.pop()
            else:
                seen.add(child)
                path.append((child, iter(child.children)))
        return nodes

    def backward(self):
        self.grad = 1.0
        for node in reversed(self.graph()):
            for child, slope in zip(node.children, node.slopes):
                child.grad += slope * node.grad
