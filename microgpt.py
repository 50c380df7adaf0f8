"""microgpt: a GPT trained and sampled by one file of pure Python, one scalar at a time.

Read it from top to bottom; that is also the order in which things happen. A dataset of short
documents becomes tokens, an autograd engine carries derivatives through a small transformer, Adam
lowers the loss, and the trained model makes up documents of its own.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on a file of your own, one document a line
"""

from __future__ import annotations

import argparse
import errno
import gc
import hashlib
import io
import math
import os
import random
import shutil
import sys
import tempfile
import time
import unicodedata
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn

__version__ = "1.0.0"

# --- Settings -------------------------------------------------------------------------------------
# Everything that can be turned: the shape of the model, how it is trained, how it is sampled. Each
# is an option of the command line, too, which takes name, default, range and help from here.


def setting(default: float, help: str, least: float = -math.inf) -> Any:
    """A field of Settings, with what the command line has to know about it."""
    return field(default=default, metadata={"help": help, "least": least})


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Raises ValueError, naming the setting, for one that cannot be."""

    n_layer: int = setting(1, "transformer layers", least=1)
    n_embd: int = setting(16, "embedding dimension, a multiple of n_head", least=1)
    block_size: int = setting(16, "maximum context length, in tokens", least=1)
    n_head: int = setting(4, "attention heads", least=1)
    num_steps: int = setting(1000, "training steps, one document each", least=0)
    lr: float = setting(0.01, "initial learning rate")
    temperature: float = setting(0.5, "sampling temperature: low is safe, high is wild")
    num_samples: int = setting(20, "documents to sample after training", least=0)
    seed: int = setting(42, "seed of the one generator behind every random draw")

    def __post_init__(self) -> None:
        for f in fields(self):
            value, least = getattr(self, f.name), f.metadata["least"]
            if isinstance(f.default, float):
                fine = isinstance(value, (int, float)) and 0 < value < math.inf
                wanted = "a finite number above 0"
            else:
                fine = isinstance(value, int) and value >= least
                wanted = f"a whole number, at least {least}"
            if not fine:
                raise ValueError(f"{f.name} must be {wanted}, not {value}")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")


# --- Dataset --------------------------------------------------------------------------------------
# A dataset is a text file with one document a line. A document is a name here; it could as well
# be a word, a place or a verse. The model will learn to write more of the same kind.


class DatasetError(ValueError):
    """There is no dataset to train on; the message says in one line why."""


def read_docs(path: str | Path) -> list[str]:
    """The documents of a UTF-8 file: its non-blank lines, stripped, in Unicode's form NFC.

    The path "-" stands for standard input. Raises DatasetError if the file cannot be read, is not
    UTF-8 or holds no documents.
    """
    name = "standard input" if path == "-" else path
    try:
        with open(0 if path == "-" else path, "rb") as file:
            text = file.read().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line_number = len(error.object[: error.start + 1].splitlines())
        raise DatasetError(f"{name}: line {line_number} is not UTF-8 text") from None
    lines = io.StringIO(unicodedata.normalize("NFC", text), newline=None)
    docs = [doc for doc in map(str.strip, lines) if doc]
    if not docs:
        raise DatasetError(f"{name}: the dataset holds no documents")
    return docs


# --- Tokenizer ------------------------------------------------------------------------------------
# The model computes with numbers, so every character that occurs in the dataset gets one: its
# token id. One more token, BOS, stands at both ends of a document: the model starts from it, and
# predicts it where the document is over.


class Tokenizer:
    """Characters to token ids and back. The vocabulary is the characters of `docs`, and BOS.

    >>> Tokenizer(["anna", "bob"]).encode("bob")
    [4, 1, 3, 1, 4]
    """

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

LET_GO = "this was made before a backward(), which has let go of its graph"


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
        Vector.generation += 1  # what was gathered before is out of date from now on
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
            raise RuntimeError(LET_GO)


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


class Vector(list[Value]):
    """Values in a row, with their data gathered once for all the sums that they will enter.

    It can be made longer with append(), and must not be changed otherwise. It serves until the
    next backward(); afterwards a PairSum refuses it.
    """

    generation = 0  # how many backward() there have been

    def __init__(self, values: Iterable[Value] = ()) -> None:
        super().__init__(values)
        check_usable(self)
        self.data = [value.data for value in self]
        self.made_in = Vector.generation

    def append(self, value: Value) -> None:
        check_usable((value,))
        super().append(value)
        self.data.append(value.data)


class PairSum(Value):
    """A sum over pairs (x, y) of children, such as a dot product, as a single node.

    Most of the model's arithmetic is in such sums. One node for each instead of two for every
    pair, and both children of a pair served in one round of the loop, is what makes it fast. The
    rows are shared with other nodes, never copied, which keeps the graph small. Raises
    RuntimeError for a row that was made before the last backward().
    """

    __slots__ = ("_partners", "_partner_grads")

    def __init__(
        self, data: float, x: Vector, y: Vector, dx: Sequence[float], dy: Sequence[float]
    ) -> None:
        if not x.made_in == y.made_in == Vector.generation:
            raise RuntimeError(LET_GO)
        self.data = data  # not by Value.__init__, which would check each child once more
        self.grad = 0.0
        self._children, self._local_grads = x, dx
        self._partners, self._partner_grads = y, dy
        tape.append(self)

    def _backprop(self, grad: float) -> None:
        pairs = zip(self._children, self._partners, self._local_grads, self._partner_grads)
        for x, y, dx, dy in pairs:
            x.grad += dx * grad
            y.grad += dy * grad


def dot(x: Vector, y: Vector) -> Value:
    """The dot product of two vectors of the same length."""
    total = 0.0
    for a, b in zip(x.data, y.data):  # never sum(): its rounding depends on the Python version
        total += a * b
    return PairSum(total, x, y, y.data, x.data)


# --- Parameters -----------------------------------------------------------------------------------
# What the model knows is in its parameters: matrices of Values, random at first, with a name each
# in the state dict. Training changes nothing else.

StateDict = dict[str, list[list[Value]]]


def init_state_dict(settings: Settings, vocab_size: int, rng: random.Random) -> StateDict:
    """The parameters of an untrained model, drawn from a normal distribution around 0.

    A matrix is a list of rows: [n_out][n_in] for a layer, a row of weights for each output.
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
KVCache = list[list[tuple[list[Vector], list[Vector]]]]  # [layer][head] -> keys, channels


def gather(state_dict: StateDict) -> Weights:
    """The state dict as vectors: parameters are read once a document, not once a token."""
    return {name: [Vector(row) for row in matrix] for name, matrix in state_dict.items()}


def empty_cache(settings: Settings) -> KVCache:
    """A KV cache before the first token: of each head of each layer, the keys and the values.

    Keys [position][head_dim] are there to be compared with, one after the other; values are to be
    averaged over the positions, and so stand by channel: [head_dim][position].
    """
    head_dim = settings.n_embd // settings.n_head
    return [
        [([], [Vector() for _ in range(head_dim)]) for _ in range(settings.n_head)]
        for _ in range(settings.n_layer)
    ]


def linear(x: Sequence[Value], matrix: list[Vector]) -> list[Value]:
    """The matrix [n_out][n_in] times x [n_in]: n_out neurons, each the dot product with a row."""
    vector = Vector(x)
    return [dot(vector, row) for row in matrix]


def softmax(logits: Sequence[float]) -> list[float]:
    """Numbers [n] to probabilities [n], in proportion to the exponentials of the numbers."""
    top = max(logits)  # subtracted from all, which changes no ratio, so that exp() cannot overflow
    exps = [math.exp(logit - top) for logit in logits]
    total = 0.0
    for e in exps:
        total += e
    return [e / total for e in exps]


def rmsnorm(x: Sequence[Value]) -> list[Value]:
    """Scale x [n] to a root mean square of 1 (Zhang & Sennrich 2019), without a learned gain."""
    vector = Vector(x)
    scale = (dot(vector, vector) / len(x) + 1e-5) ** -0.5
    return [value * scale for value in x]


def attention(query: Vector, keys: list[Vector], channels: list[Vector]) -> list[Value]:
    """One head: the mean of the values, weighted by how well their keys answer the query.

    Takes a query [head_dim], keys [position][head_dim] and values [head_dim][position], returns
    [head_dim]. The weights are softmax(query . key / sqrt(head_dim)). In the mean over a channel,
    d mean / d value is the weight, and d mean / d score, through the softmax, is
    weight * (value - mean): a score gains where its value stands out.
    """
    scale = 1 / math.sqrt(len(query))
    scores = Vector(dot(query, key) for key in keys)
    weights = softmax([score * scale for score in scores.data])
    means: list[Value] = []
    for channel in channels:
        mean = 0.0
        for w, v in zip(weights, channel.data):
            mean += w * v
        # The channel will grow; this node reads no further in it than its own scores reach.
        pulls = [scale * w * (v - mean) for w, v in zip(weights, channel.data)]
        means.append(PairSum(mean, scores, channel, pulls, weights))
    return means


def gpt(weights: Weights, token_id: int, pos_id: int, cache: KVCache) -> list[Value]:
    """The logits [vocab_size] of what comes after `token_id`, which stands at position `pos_id`.

    What the earlier positions have to say is in the cache; this one is appended to it.
    """
    x = [t + p for t, p in zip(weights["wte"][token_id], weights["wpe"][pos_id])]
    x = rmsnorm(x)
    for i, heads in enumerate(cache):
        # attention: each head looks at all positions so far
        residual, x = x, rmsnorm(x)
        queries = linear(x, weights[f"layer{i}.attn_wq"])
        keys = linear(x, weights[f"layer{i}.attn_wk"])
        values = linear(x, weights[f"layer{i}.attn_wv"])
        head_dim = len(x) // len(heads)
        x = []
        for h, (head_keys, head_channels) in enumerate(heads):
            head = slice(h * head_dim, (h + 1) * head_dim)
            head_keys.append(Vector(keys[head]))
            for channel, value in zip(head_channels, values[head]):
                channel.append(value)
            x += attention(Vector(queries[head]), head_keys, head_channels)
        x = linear(x, weights[f"layer{i}.attn_wo"])
        x = [a + b for a, b in zip(x, residual)]

        # MLP: each position on its own
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
    """-log softmax(logits [vocab_size])[target_id], in nats.

    Its derivative towards the logits is their softmax, less 1 at the target.
    """
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
        beta1, beta2, eps, m, v, sqrt = self.beta1, self.beta2, self.eps, self.m, self.v, math.sqrt
        self.steps += 1
        lr /= 1 - beta1**self.steps  # m and v start at 0: these two undo the bias of that,
        v_scale = 1 / (1 - beta2**self.steps)  # once a step rather than for every parameter
        new1, new2 = 1 - beta1, 1 - beta2
        for i, p in enumerate(self.params):
            grad = p.grad
            m[i] = m_i = beta1 * m[i] + new1 * grad
            v[i] = v_i = beta2 * v[i] + new2 * grad * grad
            p.data -= lr * m_i / (sqrt(v_i * v_scale) + eps)
            p.grad = 0.0


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: Sequence[str], settings: Settings
) -> Iterator[float]:
    """Train for `num_steps` steps, in the order of the documents; yield the loss of each step."""
    adam = Adam([p for matrix in state_dict.values() for row in matrix for p in row])
    for step in range(settings.num_steps):
        doc = docs[step % len(docs)]
        tokens = tokenizer.encode(doc[: settings.block_size])
        loss = document_loss(state_dict, tokens, settings)  # the forward pass
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
        if not math.isfinite(sum(probs)):
            steps = settings.num_steps
            raise FloatingPointError(f"training diverged at step {steps}: no finite logits")
        token_id = rng.choices(range(tokenizer.vocab_size), weights=probs)[0]
        if token_id == tokenizer.bos:
            break
        token_ids.append(token_id)
    return tokenizer.decode(token_ids)


# --- Command line ---------------------------------------------------------------------------------
# What is left is not about GPTs: the status line, the default dataset, options and errors.

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
DOWNLOAD_SECONDS = 20.0


def run(
    docs: list[str], settings: Settings
) -> tuple[StateDict, Tokenizer, Settings, random.Random]:
    """The whole program for these documents: shuffle, train, sample. Returns what sample() takes.

    Raises FloatingPointError if training diverges.
    """
    rng = random.Random(settings.seed)
    rng.shuffle(docs)
    tokenizer = Tokenizer(docs)
    state_dict = init_state_dict(settings, tokenizer.vocab_size, rng)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    print(f"num params: {sum(len(row) for matrix in state_dict.values() for row in matrix)}")
    show_progress(train(state_dict, tokenizer, docs, settings), settings.num_steps)
    print("\n--- inference (new, hallucinated names) ---", flush=True)
    for i in range(1, settings.num_samples + 1):
        print(f"sample {i:2}: {sample(state_dict, tokenizer, settings, rng)}", flush=True)
    return state_dict, tokenizer, settings, rng


def show_progress(losses: Iterator[float], num_steps: int) -> None:
    """Print every loss on one status line, on a terminal together with the time that is left."""
    terminal, start = sys.stdout.isatty(), time.monotonic()
    left, due, width = "", start + 1, 0
    try:
        for step, loss in enumerate(losses, 1):
            if not math.isfinite(loss):
                raise FloatingPointError(f"training diverged at step {step}: the loss is {loss}")
            line = f"step {step:4} / {num_steps:4} | loss {loss:.4f}"
            if terminal:
                now = time.monotonic()
                if now >= due:  # once a second, so that it can be read
                    seconds = (now - start) / step * (num_steps - step)
                    left, due = f" | {timedelta(seconds=round(seconds))} left", now + 1
                line += left if step < num_steps else ""
                line = line[: shutil.get_terminal_size().columns - 1]
                line, width = line.ljust(width), len(line)
            print(line, end="\r", flush=True)
    except BaseException:
        if terminal:
            print("\r" + " " * width, end="\r", flush=True)
        raise


def default_dataset() -> Path:
    """input.txt in the current folder, or the one beside this script, or else a download.

    The names of the published run are downloaded to the current folder, where they appear whole
    and verified or not at all. Raises DatasetError if that fails.
    """
    here = Path("input.txt")
    beside = Path(__file__).resolve().with_name(here.name)
    if os.path.lexists(here):  # a broken link is the user's own, too
        return here
    if beside.exists():
        return beside
    print(f"there is no {here}: downloading {NAMES_URL}", file=sys.stderr)
    try:
        data, deadline = b"", time.monotonic() + DOWNLOAD_SECONDS
        with urllib.request.urlopen(NAMES_URL, timeout=DOWNLOAD_SECONDS) as response:
            while chunk := response.read1(1 << 16):
                data += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError("timed out")
        if hashlib.sha256(data).hexdigest() != NAMES_SHA256:
            raise OSError("what came has the wrong checksum")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            Path(folder, here.name).write_bytes(data)
            Path(folder, here.name).replace(here)
    except (OSError, HTTPException) as error:
        advice = "to go on without it, name a file with one document a line"
        raise DatasetError(f"the download failed: {error}; {advice}") from None
    return here


def argument_parser() -> argparse.ArgumentParser:
    """The command line: a dataset, and an option for every setting."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s [DATASET] [--SETTING N ...]",
        description="Train a small GPT on the documents of a file, then let it make up new ones.",
        epilog="example: %(prog)s my_names.txt --num_steps 2000 --temperature 0.7",
        allow_abbrev=False,
    )
    parser.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET",
        help="UTF-8 text with one document a line, or - for standard input (default: input.txt "
        "in this folder, or beside the script, or else downloaded)",
    )
    for f in fields(Settings):
        text = f"{f.metadata['help']} (default: {f.default})"
        parser.add_argument(
            f"--{f.name}", type=type(f.default), default=f.default, metavar="N", help=text
        )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says. Ends in SystemExit if that cannot be done to the end."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # a shell can have closed them
    sys.stderr = sys.stderr or open(os.devnull, "w")
    parser = argument_parser()
    options = vars(parser.parse_args(argv))
    dataset = options.pop("dataset")
    try:
        settings = Settings(**options)
    except ValueError as error:
        parser.error(str(error))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace", newline="\n")
    if sys.implementation.name == "cpython":
        gc.disable()  # graphs have no cycles: reference counting frees them, without a search

    def fail(message: object) -> NoReturn:
        line = "".join(char if char.isprintable() else "?" for char in str(message))
        parser.exit(1, f"{parser.prog}: error: {line}\n")

    try:
        docs = read_docs(default_dataset() if dataset is None else dataset)
        longest = settings.block_size - 1
        if cut := sum(len(doc) > longest for doc in docs):
            warning = f"{cut} of {len(docs)} documents have more than {longest} characters"
            outcome = f"only their first {settings.block_size} tokens are trained on"
            print(f"{parser.prog}: warning: {warning}: {outcome}", file=sys.stderr)
        run(docs, settings)
    except (DatasetError, FloatingPointError) as error:
        fail(error)
    except MemoryError:
        fail("not enough memory for these settings and documents")
    except OSError as error:  # standard output; what is still in its buffer must go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno in (errno.EPIPE, errno.EINVAL):  # a closed pipe, there and on Windows
            sys.exit(1)
        fail(f"standard output: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
