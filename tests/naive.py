"""The original's algorithm, one floating-point operation after the other in the original's order.

An oracle for microgpt.py, with which it shares no code, and much slower. Every operation is a Node
of its own. Before each backward pass the graph is sorted depth first, and gradients are added up in
that order. Started as a program, it trains on input.txt in the current folder.
"""

import math
import random
import sys
from pathlib import Path

DEFAULTS = {
    "n_layer": 1, "n_embd": 16, "block_size": 16, "n_head": 4, "num_steps": 1000, "lr": 0.01,
    "temperature": 0.5, "num_samples": 20, "seed": 42,
}  # fmt: skip


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

    # fmt: off
    def exp(self): return Node(math.exp(self.data), (self,), (math.exp(self.data),))
    def log(self): return Node(math.log(self.data), (self,), (1 / self.data,))
    def relu(self): return Node(max(0.0, self.data), (self,), (1.0 if self.data > 0 else 0.0,))
    def __neg__(self): return self * -1
    def __sub__(self, other): return self + -other
    def __truediv__(self, other): return self * other**-1
    def __radd__(self, other): return self + other  # for sum()
    # fmt: on

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


def product(x, matrix):
    return [sum(w * x_i for w, x_i in zip(row, x)) for row in matrix]


def plus(x, y):
    return [a + b for a, b in zip(x, y)]


def softmax(x):
    largest = max(x_i.data for x_i in x)
    exps = [(x_i - largest).exp() for x_i in x]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    factor = (sum(x_i * x_i for x_i in x) / len(x) + 1e-5) ** -0.5
    return [x_i * factor for x_i in x]


class NaiveProgram:
    """One run: `matrices` of Nodes by name, `params`, the same in one list, and its `docs`."""

    def __init__(self, docs, **settings):
        self.s = {**DEFAULTS, **settings}
        self.rng = random.Random(self.s["seed"])
        self.docs = list(docs)
        self.rng.shuffle(self.docs)
        self.chars = sorted(set("".join(self.docs)))
        self.bos = len(self.chars)
        n, vocab_size = self.s["n_embd"], len(self.chars) + 1

        def matrix(n_out, n_in):
            return [[Node(self.rng.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]

        self.matrices = {"wte": matrix(vocab_size, n), "wpe": matrix(self.s["block_size"], n)}
        self.matrices["lm_head"] = matrix(vocab_size, n)
        for i in range(self.s["n_layer"]):
            for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo"):
                self.matrices[f"layer{i}.{name}"] = matrix(n, n)
            self.matrices[f"layer{i}.mlp_fc1"] = matrix(4 * n, n)
            self.matrices[f"layer{i}.mlp_fc2"] = matrix(n, 4 * n)
        self.params = [p for matrix in self.matrices.values() for row in matrix for p in row]

    def logits(self, token, position, keys, values):
        """What comes after a token; keys and values hold a list for each layer, and grow."""
        w, size = self.matrices, self.s["n_embd"] // self.s["n_head"]
        x = rmsnorm(plus(w["wte"][token], w["wpe"][position]))
        for i in range(self.s["n_layer"]):
            normed = rmsnorm(x)
            query = product(normed, w[f"layer{i}.attn_wq"])
            keys[i].append(product(normed, w[f"layer{i}.attn_wk"]))
            values[i].append(product(normed, w[f"layer{i}.attn_wv"]))
            found = []
            for start in range(0, self.s["n_embd"], size):
                head = range(start, start + size)
                scores = [sum(query[j] * k[j] for j in head) / size**0.5 for k in keys[i]]
                weights = softmax(scores)
                found += [sum(a * v[j] for a, v in zip(weights, values[i])) for j in head]
            x = plus(product(found, w[f"layer{i}.attn_wo"]), x)
            hidden = [h.relu() for h in product(rmsnorm(x), w[f"layer{i}.mlp_fc1"])]
            x = plus(product(hidden, w[f"layer{i}.mlp_fc2"]), x)
        return product(x, w["lm_head"])

    def cache(self):
        return [[] for _ in range(self.s["n_layer"])], [[] for _ in range(self.s["n_layer"])]

    def loss(self, doc):
        tokens = [self.bos, *map(self.chars.index, doc), self.bos]
        n, cache, losses = min(self.s["block_size"], len(tokens) - 1), self.cache(), []
        for position in range(n):
            probs = softmax(self.logits(tokens[position], position, *cache))
            losses.append(-probs[tokens[position + 1]].log())
        return sum(losses) * (1 / n)

    def train(self):
        """Yield the loss of each step, after the step."""
        m, v = [0.0] * len(self.params), [0.0] * len(self.params)
        for step in range(self.s["num_steps"]):
            loss = self.loss(self.docs[step % len(self.docs)])
            loss.backward()
            lr = self.s["lr"] * (1 - step / self.s["num_steps"])
            for i, p in enumerate(self.params):
                m[i] = 0.85 * m[i] + (1 - 0.85) * p.grad
                v[i] = 0.99 * v[i] + (1 - 0.99) * p.grad**2
                m_hat = m[i] / (1 - 0.85 ** (step + 1))
                v_hat = v[i] / (1 - 0.99 ** (step + 1))
                p.data -= lr * m_hat / (v_hat**0.5 + 1e-8)
                p.grad = 0.0
            yield loss.data

    def sample(self, prompt=""):
        tokens, cache = [self.bos, *map(self.chars.index, prompt)], self.cache()
        for position in range(self.s["block_size"]):
            logits = self.logits(tokens[position], position, *cache)
            if position == len(tokens) - 1:
                probs = softmax([logit / self.s["temperature"] for logit in logits])
                weights = [p.data for p in probs]
                tokens += self.rng.choices(range(self.bos + 1), weights=weights)
                if tokens[-1] == self.bos:
                    break
        return "".join(self.chars[token] for token in tokens if token != self.bos)

    def run(self, write, prompt=""):
        write(f"num docs: {len(self.docs)}\nvocab size: {self.bos + 1}\n")
        write(f"num params: {len(self.params)}\n")
        for step, loss in enumerate(self.train(), 1):
            write(f"step {step:4d} / {self.s['num_steps']:4d} | loss {loss:.4f}\r")
        write("\n--- inference (new, hallucinated names) ---\n")
        for i in range(1, self.s["num_samples"] + 1):
            write(f"sample {i:2d}: {self.sample(prompt)}\n")


if __name__ == "__main__":
    lines = Path("input.txt").read_text(encoding="utf-8").splitlines()
    sys.stdout.reconfigure(encoding="utf-8")
    NaiveProgram(filter(None, map(str.strip, lines))).run(sys.stdout.write)
