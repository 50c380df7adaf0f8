"""microgpt: a GPT trained and sampled by one file of pure Python, one scalar at a time.

Read it from top to bottom; that is also the order in which things happen. A dataset of short
documents becomes tokens, an autograd engine carries derivatives through a small transformer, Adam
lowers the loss, and the trained model makes up documents of its own.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on a file of your own, one document a line
"""

from __future__ import annotations

import argparse
import gc
import io
import math
import random
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__version__ = "1.0.0"

# --- Settings -------------------------------------------------------------------------------------
# Everything that can be turned: the shape of the model, how it is trained, how it is sampled.


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    n_layer: int = 1  # transformer layers
    n_embd: int = 16  # embedding dimension: the width of the residual stream
    block_size: int = 16  # maximum context length, in tokens
    n_head: int = 4  # attention heads, of n_embd / n_head dimensions each
    num_steps: int = 1000  # training steps, one document each
    lr: float = 0.01  # initial learning rate
    temperature: float = 0.5  # sampling temperature: the lower, the safer the choices
    num_samples: int = 20  # documents to sample after training
    seed: int = 42  # seed of the one generator that makes every random draw


# --- Dataset --------------------------------------------------------------------------------------
# A dataset is a text file with one document a line. A document is a name here; it could as well
# be a word, a place or a verse. The model will learn to write more of the same kind.


def read_docs(path: Path) -> list[str]:
    """The documents of a UTF-8 file: its non-blank lines, stripped, in Unicode's form NFC.

    Raises OSError if the file cannot be read, ValueError if it is not UTF-8 or has no documents.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_number = len(error.object[: error.start + 1].splitlines())
        raise ValueError(f"{path}: line {line_number} is not UTF-8 text") from None
    lines = io.StringIO(unicodedata.normalize("NFC", text), newline=None)
    docs = [doc for doc in map(str.strip, lines) if doc]
    if not docs:
        raise ValueError(f"{path}: the dataset holds no documents")
    return docs


# --- Tokenizer ------------------------------------------------------------------------------------
# The model computes with numbers, so every character that occurs in the dataset gets one: its
# token id. One more token, BOS, stands at both ends of a document: the model starts from it, and
# predicts it where the document is over.


class Tokenizer:
    """Characters to token ids and back. The vocabulary is the characters of `docs`, and BOS."""

    def __init__(self, docs: Iterable[str]) -> None:
        self.chars = sorted(set("".join(docs)))
        self.bos = len(self.chars)
        self.vocab_size = len(self.chars) + 1
        self._ids = {char: token_id for token_id, char in enumerate(self.chars)}

    def encode(self, doc: str) -> list[int]:
        """BOS, the id of each character, BOS. Raises KeyError for an unknown character."""
        return [self.bos, *(self._ids[char] for char in doc), self.bos]

    def decode(self, token_ids: Iterable[int]) -> str:
        """The characters with these ids; BOS stands for none."""
        return "".join(self.chars[token_id] for token_id in token_ids if token_id != self.bos)


# --- Autograd -------------------------------------------------------------------------------------
# Training asks how one number, the loss, changes with each of thousands, the parameters. So every
# scalar is a Value that knows the Values it was computed from, its children, and its derivative
# towards each. backward() walks from the loss down to the parameters and applies the chain rule:
# the gradient that has arrived at a Value, times the local derivative, is added to the child's.

# The Values computed so far, children before parents. Creation gives that order for nothing;
# backward() reads it from the end, and so never has to search or sort the graph.
tape: list[Value] = []


class Value:
    """A scalar in the computation graph: its `data`, and the `grad` that backward() leaves in it.

    `+ - * / **` take Values and numbers on either side. They raise what they raise for numbers,
    and ValueError where the result or its derivative is not a real number.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a**2
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(
        self, data: float, children: tuple[Value, ...] = (), local_grads: Sequence[float] = ()
    ) -> None:
        self.data = data
        self.grad = 0.0
        self._children: Any = children  # None once backward() has let go of the graph
        self._local_grads: Any = local_grads  # d(self)/d(child), child by child
        if children:
            check_usable(children)
            tape.append(self)

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other: Value | float) -> Value:
        base, exponent = self.data, other.data if isinstance(other, Value) else other
        power = base**exponent
        if isinstance(power, complex):
            raise ValueError(f"{base} ** {exponent} is not a real number")
        slope = exponent * base ** (exponent - 1) if exponent else 0.0
        if not isinstance(other, Value):
            return Value(power, (self,), (slope,))
        return Value(power, (self, other), (slope, power * math.log(base) if power else 0.0))

    def exp(self) -> Value:
        power = math.exp(self.data)
        return Value(power, (self,), (power,))

    def log(self) -> Value:
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Value:
        positive = self.data > 0
        return Value(self.data if positive else 0.0, (self,), (float(positive),))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Value: return self * -1
    def __sub__(self, other: Value | float) -> Value: return self + -other
    def __rsub__(self, other: float) -> Value: return -self + other
    def __truediv__(self, other: Value | float) -> Value: return self * other**-1
    def __rtruediv__(self, other: float) -> Value: return self**-1 * other
    def __rpow__(self, other: float) -> Value: return Value(other) ** self

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def backward(self) -> None:
        """Put d(self)/d(v) into `v.grad` for every Value v that self was computed from.

        The grad of a leaf, a Value that was not computed from others, adds up over calls until
        it is set back to 0. All that has been computed is let go of: its data and grad can still
        be read, but to compute with it or to go backward from it again raises RuntimeError. To
        differentiate several losses that share a graph, or were built side by side, add them up.
        """
        check_usable((self,))
        self.grad = 1.0
        while tape:
            node = tape.pop()
            if node.grad:  # 0 where self does not depend on the node: there is nothing to pass on
                node._backprop(node.grad)
            node._children = None

    def _backprop(self, grad: float) -> None:
        """The chain rule for one node whose own gradient is complete."""
        for child, local_grad in zip(self._children, self._local_grads):
            child.grad += local_grad * grad


def check_usable(values: Iterable[Value]) -> None:
    """Raise RuntimeError if backward() has let go of one of the values."""
    for value in values:
        if value._children is None:
            raise RuntimeError("backward() has let go of the graph that this Value was part of")


@contextmanager
def no_grad() -> Iterator[None]:
    """What is computed inside the `with` block is constant afterwards: no graph is kept."""
    start = len(tape)
    try:
        yield
    finally:
        for node in tape[start:]:
            node._children = node._local_grads = ()
        del tape[start:]


class Vector(tuple[Value, ...]):
    """Values in a row, with their data gathered once for all the sums that they will enter."""

    def __init__(self, values: Iterable[Value]) -> None:
        check_usable(self)
        self.data = [value.data for value in self]


class PairSum(Value):
    """A sum over pairs (x, y) of children, such as a dot product, as a single node.

    Most of the model's arithmetic is in such sums. One node for each instead of two for every
    pair, and both children of a pair served in one round of the loop, is what makes it fast.
    """

    __slots__ = ()

    def __init__(
        self, data: float, x: Vector, y: Vector, dx: Sequence[float], dy: Sequence[float]
    ) -> None:
        self.data = data
        self.grad = 0.0
        self._children = (x, y)
        self._local_grads = (dx, dy)
        tape.append(self)

    def _backprop(self, grad: float) -> None:
        for x, y, dx, dy in zip(*self._children, *self._local_grads):
            x.grad += dx * grad
            y.grad += dy * grad


def dot(x: Vector, y: Vector) -> Value:
    """The dot product of two vectors of the same length."""
    total = 0.0
    for a, b in zip(x.data, y.data):  # not sum(): its rounding depends on the Python version
        total += a * b
    return PairSum(total, x, y, y.data, x.data)


# --- Parameters -----------------------------------------------------------------------------------
# What the model knows is in its parameters: matrices of Values, random at first. They are kept in
# the state dict under the names that GPT-2 gave them.

StateDict = dict[str, list[list[Value]]]


def init_state_dict(settings: Settings, vocab_size: int, rng: random.Random) -> StateDict:
    """The parameters of an untrained model, each drawn from a normal distribution (0, 0.08).

    A matrix is a list of rows, a shape is [rows, length of a row]: [outputs, inputs] of a layer.
    """

    def matrix(n_out: int, n_in: int) -> list[list[Value]]:
        return [[Value(rng.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]

    n_embd = settings.n_embd
    state_dict = {
        "wte": matrix(vocab_size, n_embd),  # token embeddings
        "wpe": matrix(settings.block_size, n_embd),  # position embeddings
        "lm_head": matrix(vocab_size, n_embd),  # from the residual stream to the logits
    }
    for i in range(settings.n_layer):
        state_dict[f"layer{i}.attn_wq"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.attn_wk"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.attn_wv"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.attn_wo"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
    return state_dict


# --- Model ----------------------------------------------------------------------------------------
# GPT-2 (Radford et al. 2019) with RMSNorm for LayerNorm, ReLU for GeLU and no biases. gpt() reads
# one token and says, as logits, what may come next. A token's vector, the residual stream, goes
# through the layers; in each, attention fetches what is useful from the tokens before it, a small
# network (MLP) works on the result, and what both find is added to the stream.

Weights = dict[str, list[Vector]]
KVCache = list[list[tuple[list[Vector], list[Vector]]]]  # [layer][head] -> (keys, values)


def gather(state_dict: StateDict) -> Weights:
    """The state dict as vectors: parameters are read once a document, not once a token."""
    return {name: [Vector(row) for row in matrix] for name, matrix in state_dict.items()}


def empty_cache(settings: Settings) -> KVCache:
    """A KV cache before the first token: for each head of each layer, no keys and no values."""
    return [[([], []) for _ in range(settings.n_head)] for _ in range(settings.n_layer)]


def linear(x: Sequence[Value], matrix: list[Vector]) -> list[Value]:
    """Matrix [n_out, n_in] times x [n_in]: n_out neurons, each a dot product of its row and x."""
    vector = Vector(x)
    return [dot(vector, row) for row in matrix]


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities in proportion to the exponentials of the logits."""
    top = max(logits)  # subtracted from all, which changes no ratio, so that exp() cannot overflow
    exps = [math.exp(logit - top) for logit in logits]
    total = 0.0
    for e in exps:
        total += e
    return [e / total for e in exps]


def rmsnorm(x: Sequence[Value]) -> list[Value]:
    """x scaled to a root mean square of 1 (Zhang & Sennrich 2019), without a learned gain."""
    vector = Vector(x)
    scale = (dot(vector, vector) / len(x) + 1e-5) ** -0.5
    return [value * scale for value in x]


def attention(query: Vector, keys: list[Vector], values: list[Vector]) -> list[Value]:
    """One head: the mean of the values, weighted by how well the keys answer the query.

    weights = softmax(query . key / sqrt(head_dim)), one for each position so far. In the mean
    over a channel, d mean / d value is the weight, and d mean / d score, through the softmax, is
    weight * (value - mean): a score gains where its value stands out.
    """
    scale = 1 / math.sqrt(len(query))
    scores = Vector(dot(query, key) for key in keys)
    weights = softmax([score * scale for score in scores.data])
    means: list[Value] = []
    for channel in map(Vector, zip(*values)):
        mean = 0.0
        for w, v in zip(weights, channel.data):
            mean += w * v
        pulls = [scale * w * (v - mean) for w, v in zip(weights, channel.data)]
        means.append(PairSum(mean, scores, channel, pulls, weights))
    return means


def gpt(weights: Weights, token_id: int, pos_id: int, cache: KVCache) -> list[Value]:
    """The logits [vocab_size] for the token after `token_id`, which stands at position `pos_id`.

    The earlier positions are read from the cache, to which this one is appended.
    """
    x = [t + p for t, p in zip(weights["wte"][token_id], weights["wpe"][pos_id])]
    x = rmsnorm(x)
    for i, heads in enumerate(cache):
        residual, x = x, rmsnorm(x)
        queries = linear(x, weights[f"layer{i}.attn_wq"])
        keys = linear(x, weights[f"layer{i}.attn_wk"])
        values = linear(x, weights[f"layer{i}.attn_wv"])
        head_dim = len(x) // len(heads)
        x = []
        for h, (head_keys, head_values) in enumerate(heads):
            head = slice(h * head_dim, (h + 1) * head_dim)
            head_keys.append(Vector(keys[head]))
            head_values.append(Vector(values[head]))
            x += attention(Vector(queries[head]), head_keys, head_values)
        x = linear(x, weights[f"layer{i}.attn_wo"])
        x = [a + b for a, b in zip(x, residual)]

        residual, x = x, rmsnorm(x)
        x = linear(x, weights[f"layer{i}.mlp_fc1"])
        x = [value.relu() for value in x]
        x = linear(x, weights[f"layer{i}.mlp_fc2"])
        x = [a + b for a, b in zip(x, residual)]
    return linear(x, weights["lm_head"])


# --- Training -------------------------------------------------------------------------------------
# One document a step. Forward: predict each of its tokens from those before. The loss is how
# surprised the model was, on average. Backward: what would have lowered the loss. Adam then moves
# every parameter a little that way.


def cross_entropy(logits: Sequence[Value], target_id: int) -> Value:
    """-log softmax(logits)[target_id]; its derivative is the softmax, less 1 at the target."""
    data = [logit.data for logit in logits]
    probs = softmax(data)
    # log p_target = log p_max - (l_max - l_target): p_target may round to 0, p_max never does
    loss = max(data) - data[target_id] - math.log(max(probs))
    probs[target_id] -= 1.0
    return Value(loss, tuple(logits), probs)


def document_loss(state_dict: StateDict, tokens: Sequence[int], settings: Settings) -> Value:
    """The mean cross-entropy of up to block_size tokens, each predicted from those before it."""
    weights, cache = gather(state_dict), empty_cache(settings)
    n = min(settings.block_size, len(tokens) - 1)
    losses = [
        cross_entropy(gpt(weights, tokens[pos_id], pos_id, cache), tokens[pos_id + 1])
        for pos_id in range(n)
    ]
    return sum(losses, Value(0.0)) * (1 / n)


class Adam:
    """The Adam optimizer (Kingma & Ba 2015) for a list of parameters.

    It follows two running means for each parameter: of the gradient (m), which gives the
    direction, and of its square (v), which gives the scale.
    """

    beta1, beta2, eps = 0.85, 0.99, 1e-8

    def __init__(self, params: list[Value]) -> None:
        self.params = params
        self.m = [0.0] * len(params)
        self.v = [0.0] * len(params)
        self.steps = 0

    def step(self, lr: float) -> None:
        """Move every parameter against its gradient, at the learning rate lr, and zero the grad."""
        beta1, beta2, eps, m, v = self.beta1, self.beta2, self.eps, self.m, self.v
        self.steps += 1
        lr /= 1 - beta1**self.steps  # m and v start at 0: these two undo the bias of that
        v_scale = 1 / (1 - beta2**self.steps)
        for i, p in enumerate(self.params):
            m[i] = m_i = beta1 * m[i] + (1 - beta1) * p.grad
            v[i] = v_i = beta2 * v[i] + (1 - beta2) * p.grad * p.grad
            p.data -= lr * m_i / (math.sqrt(v_i * v_scale) + eps)
            p.grad = 0.0


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: Sequence[str], settings: Settings
) -> Iterator[float]:
    """Train for `num_steps` steps, in the order of the documents; yield the loss of each step."""
    adam = Adam([p for matrix in state_dict.values() for row in matrix for p in row])
    for step in range(settings.num_steps):
        doc = docs[step % len(docs)]
        tokens = tokenizer.encode(doc[: settings.block_size])
        loss = document_loss(state_dict, tokens, settings)  # forward
        loss.backward()
        adam.step(settings.lr * (1 - step / settings.num_steps))
        yield loss.data


# --- Inference ------------------------------------------------------------------------------------
# From BOS on, the model's own choice becomes its next input, until it chooses BOS: the document
# is finished.


def sample(
    state_dict: StateDict, tokenizer: Tokenizer, settings: Settings, rng: random.Random
) -> str:
    """A new document, of at most `block_size` characters."""
    weights, cache = gather(state_dict), empty_cache(settings)
    token_id, token_ids = tokenizer.bos, []
    for pos_id in range(settings.block_size):
        with no_grad():
            logits = gpt(weights, token_id, pos_id, cache)
        top = max(logit.data for logit in logits)  # taken off first: no temperature is too low
        probs = softmax([(logit.data - top) / settings.temperature for logit in logits])
        token_id = rng.choices(range(tokenizer.vocab_size), weights=probs)[0]
        if token_id == tokenizer.bos:
            break
        token_ids.append(token_id)
    return tokenizer.decode(token_ids)


# --- Command line ---------------------------------------------------------------------------------


def run(docs: list[str], settings: Settings) -> None:
    """Train on the documents, then sample: the whole program, as it stands on standard output."""
    rng = random.Random(settings.seed)
    rng.shuffle(docs)
    tokenizer = Tokenizer(docs)
    state_dict = init_state_dict(settings, tokenizer.vocab_size, rng)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    print(f"num params: {sum(len(row) for matrix in state_dict.values() for row in matrix)}")
    for step, loss in enumerate(train(state_dict, tokenizer, docs, settings), 1):
        print(f"step {step:4} / {settings.num_steps:4} | loss {loss:.4f}", end="\r")
    print("\n--- inference (new, hallucinated names) ---")
    for i in range(1, settings.num_samples + 1):
        print(f"sample {i:2}: {sample(state_dict, tokenizer, settings, rng)}")


def find_dataset() -> Path:
    """The default dataset: input.txt in the current folder, or else the one beside this script."""
    here = Path("input.txt")
    return here if here.exists() else Path(__file__).with_name("input.txt")


def main(argv: Sequence[str] | None = None) -> None:
    """The command: train on a dataset, then sample. The last word on stderr is for the user."""
    parser = argparse.ArgumentParser(description="Train a small GPT and let it make up names.")
    parser.add_argument(
        "dataset", nargs="?", type=Path, help="UTF-8 text, one document a line (default: input.txt)"
    )
    args = parser.parse_args(argv)
    path = args.dataset or find_dataset()
    try:
        docs = read_docs(path)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: error: {path}: {error.strerror}\n")
    except ValueError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    if sys.implementation.name == "cpython":
        gc.disable()  # graphs have no cycles: reference counting frees them, without a search
    run(docs, Settings())


if __name__ == "__main__":
    main()
