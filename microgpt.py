"""microgpt: train a GPT and sample from it, in one file of pure Python, one scalar at a time.

Read it from top to bottom: that is the order in which things happen. A file of short documents
becomes tokens; an autograd engine differentiates a small transformer; Adam lowers the loss, one
document at a time; and the trained model writes documents of its own.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on a file of yours, one document a line
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import io
import math
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

__version__ = "2.0.0"
__all__ = [
    "Settings", "DatasetError", "read_docs", "Tokenizer", "Value", "tape", "dot", "weighted_mean",
    "no_grad", "init_state_dict", "empty_cache", "linear", "softmax", "rmsnorm", "attention", "gpt",
    "cross_entropy", "document_loss", "Adam", "train_step", "train", "sample", "run", "main",
]  # fmt: skip

# --- Settings -------------------------------------------------------------------------------------
# The shape of the model, how it is trained and how it is sampled. They are declared once: the
# command line takes name, default, range and help of its options from here.


def setting(default: float, help: str, minimum: int | None = None) -> Any:
    """A field of Settings; `minimum` is the least integer that it can be."""
    return field(default=default, metadata={"help": help, "minimum": minimum})


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Raises ValueError, naming the setting, if one is out of range."""

    n_layer: int = setting(1, "transformer layers", minimum=1)
    n_embd: int = setting(16, "embedding dimension, a multiple of n_head", minimum=1)
    block_size: int = setting(16, "maximum context length, in tokens", minimum=1)
    n_head: int = setting(4, "attention heads", minimum=1)
    num_steps: int = setting(1000, "training steps, one document each", minimum=0)
    lr: float = setting(0.01, "initial learning rate")
    temperature: float = setting(0.5, "sampling temperature: low is cautious, high is wild")
    num_samples: int = setting(20, "documents to sample after training", minimum=0)
    seed: int = setting(42, "seed of the random number generator")

    def __post_init__(self) -> None:
        for f in fields(self):
            value, minimum = getattr(self, f.name), f.metadata["minimum"]
            if isinstance(f.default, float):
                valid = type(value) in (int, float) and 0 < value < math.inf
                expected = "a finite number > 0"
            else:
                valid = type(value) is int and (minimum is None or value >= minimum)
                expected = "an integer" if minimum is None else f"an integer >= {minimum}"
            if not valid:
                raise ValueError(f"{f.name} must be {expected}, got {value!r}")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head


# --- Dataset --------------------------------------------------------------------------------------
# A dataset is a text file with one document a line. Here a document is a name; it could as well
# be a word, a place or a verse. The model will learn to write more of the same kind.


class DatasetError(ValueError):
    """There is no dataset to train on; the message says why, in one line."""


def read_docs(path: str | Path) -> list[str]:
    """The documents of a UTF-8 file: its lines, stripped, without blank ones, normalized to NFC.

    The path "-" is standard input. Raises DatasetError if the file cannot be read, is not UTF-8
    or holds no documents.
    """
    stdin = path == "-"
    name = "standard input" if stdin else path
    try:
        with open(0 if stdin else path, "rb", closefd=not stdin) as file:
            text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_number = len(error.object[: error.start + 1].splitlines())
        raise DatasetError(f"{name}: line {line_number} is not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: there is a NUL in the path
        raise DatasetError(f"{name}: {getattr(error, 'strerror', error)}") from None
    lines = io.StringIO(unicodedata.normalize("NFC", text), newline=None)
    docs = [doc for doc in map(str.strip, lines) if doc]
    if not docs:
        raise DatasetError(f"{name}: the dataset holds no documents")
    return docs


# --- Tokenizer ------------------------------------------------------------------------------------
# The model computes with numbers, so every character in the dataset gets one, its token id. One
# more token, BOS, stands at both ends of a document: the model starts to write from it, and
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
        """The characters with these ids, without BOS."""
        return "".join(self.chars[token_id] for token_id in token_ids if token_id != self.bos)


# --- Autograd -------------------------------------------------------------------------------------
# Training needs the derivative of one number, the loss, with respect to thousands of parameters.
# So every scalar is a Value that remembers its children, the Values it was computed from, and its
# local derivative with respect to each. backward() goes from the loss back to the parameters and
# applies the chain rule: a Value's gradient times a local derivative is added to the child's.

# All Values that were computed from others, in the order in which they were made: children stand
# before parents, so that backward() only has to go through it from the end.
tape: list[Value] = []


class Value:
    """A scalar in the computation graph: its `data`, and the `grad` that backward() computes.

    `+ - * / **` take Values and numbers on either side. Errors are those of floats, also where
    only the derivative does not exist: `Value(0.0) ** 0.5` raises ZeroDivisionError.

    There is one tape, for one computation at a time: no threads. What is computed stays on it
    until `tape.clear()`. The `data` of a Value must not change between its use and backward().

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a**2
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data: float, children: Any = (), local_grads: Sequence[float] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children  # none for a leaf, such as a parameter
        self._local_grads = local_grads  # d(self)/d(child), for each child
        if children:
            tape.append(self)

    def __add__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))
        if isinstance(other, (int, float)):  # a constant, not a child
            return Value(self.data + other, (self,), (1.0,))
        return NotImplemented

    def __mul__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data * other.data, (self, other), (other.data, self.data))
        if isinstance(other, (int, float)):
            return Value(self.data * other, (self,), (other,))
        return NotImplemented

    def __pow__(self, other: Value | float) -> Value:
        base, exponent = self.data, other.data if isinstance(other, Value) else other
        slope = exponent * base ** (exponent - 1) if exponent else 0.0
        power = math.pow(base, exponent)  # a ValueError where `**` gives a complex number
        if not isinstance(other, Value):
            return Value(power, (self,), (slope,))
        return Value(power, (self, other), (slope, power * math.log(base) if power else 0.0))

    def relu(self) -> Value:
        if self.data > 0:
            return Value(self.data, (self,), (1.0,))
        return Value(0.0, (self,), (0.0,))

    # fmt: off
    def exp(self) -> Value: return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def log(self) -> Value: return Value(math.log(self.data), (self,), (1 / self.data,))
    __radd__, __rmul__ = __add__, __mul__
    def __neg__(self) -> Value: return self * -1
    def __sub__(self, other: Value | float) -> Value: return self + -other
    def __rsub__(self, other: float) -> Value: return -self + other
    def __truediv__(self, other: Value | float) -> Value: return self * other**-1
    def __rtruediv__(self, other: float) -> Value: return self**-1 * other
    def __rpow__(self, other: float) -> Value: return Value(other) ** self
    def __repr__(self) -> str: return f"Value(data={self.data}, grad={self.grad})"
    # fmt: on

    def backward(self) -> None:
        """Set `v.grad` to d(self)/d(v) for every Value v on the tape.

        The grad of a leaf, a Value that was not computed, adds up over calls until it is set back
        to 0. Raises RuntimeError if the tape was cleared after self was computed.
        """
        if self._children != () and not any(node is self for node in reversed(tape)):
            raise RuntimeError("backward() of a Value that is no longer on the tape")
        for node in tape:
            node.grad = 0.0
        self.grad += 1.0
        for node in reversed(tape):
            if node.grad:  # at 0 there is nothing to pass on: half of the ReLUs, for instance
                node._backprop(node.grad)

    def _backprop(self, grad: float) -> None:
        for child, local_grad in zip(self._children, self._local_grads):
            child.grad += local_grad * grad


# Most of the arithmetic is in sums of products. To make a sum one node, instead of two nodes for
# each of its terms, is what makes the program fast. The vectors are kept as they are, not copied.


class Dot(Value):
    __slots__ = ()

    def _backprop(self, grad: float) -> None:
        for x, y in zip(*self._children):
            x.grad += y.data * grad  # d(x * y)/dx = y
            y.grad += x.data * grad


def dot(xs: Vector, ys: Vector) -> Value:
    """The dot product of two vectors [n]."""
    total = 0.0
    for x, y in zip(xs, ys):  # not by sum(), which rounds differently from Python 3.12 on
        total += x.data * y.data
    return Dot(total, (xs, ys))


class WeightedMean(Value):
    __slots__ = ()

    def _backprop(self, grad: float) -> None:
        mean = self.data
        for value, weight, score in zip(*self._children):
            value.grad += weight * grad  # d(mean)/d(value) = weight
            score.grad += weight * (value.data - mean) * grad  # the same, through the softmax


def weighted_mean(values: Vector, weights: Sequence[float], scores: Vector) -> Value:
    """The mean of values [n], with weights [n] that are the softmax of scores [n]."""
    mean = 0.0
    for value, weight in zip(values, weights):
        mean += value.data * weight
    return WeightedMean(mean, (values, weights, scores))


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """What is computed in the `with` block is constant afterwards: its graph is freed."""
    start = len(tape)
    try:
        yield
    finally:
        for node in tape[start:]:
            node._children = None
        del tape[start:]


# --- Parameters -----------------------------------------------------------------------------------
# All that the model knows is in its parameters: matrices of Values, random at first, each with a
# name in the state dict. Training changes nothing else.

Vector = Sequence[Value]
Matrix = Sequence[Vector]  # [n_out][n_in]: a row for each output
StateDict = dict[str, Matrix]


def init_state_dict(settings: Settings, vocab_size: int, rng: Random) -> StateDict:
    """The parameters of an untrained model, drawn from a normal distribution around 0."""

    def matrix(n_out: int, n_in: int) -> Matrix:
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
# GPT-2 (Radford et al. 2019) with RMSNorm for LayerNorm, ReLU for GeLU, no biases and no final
# norm. gpt() reads one token and predicts the next. The token's vector goes through the layers as
# the residual stream: in each, attention gathers what is useful from the tokens so far, an MLP
# processes it, and both add their results to the stream.

KVCache = list[tuple[list[Vector], list[Vector]]]


def empty_cache(settings: Settings) -> KVCache:
    """For each layer a list of keys and a list of values; gpt() appends one of each a position."""
    return [([], []) for _ in range(settings.n_layer)]


def linear(x: Vector, matrix: Matrix) -> Vector:
    """The matrix [n_out][n_in] times x [n_in]: the dot product of x with each row."""
    return [dot(x, row) for row in matrix]


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Numbers [n] to probabilities [n], in proportion to exp(number / temperature)."""
    largest = max(logits)  # subtracted so that nothing can overflow; the proportions stay
    exps = [math.exp((logit - largest) / temperature) for logit in logits]
    total = 0.0
    for e in exps:
        total += e
    return [e / total for e in exps]


def rmsnorm(x: Vector) -> Vector:
    """Scale x [n] to a root mean square of 1 (Zhang & Sennrich 2019), without a learned gain."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [value * scale for value in x]


def attention(query: Vector, keys: Sequence[Vector], values: Sequence[Vector]) -> Vector:
    """One attention head: the mean of the values, weighted by how well their keys match the query.

    The weights are softmax(query . key / sqrt(head_dim)) (Vaswani et al. 2017). Takes a query
    [head_dim], keys and values [position][head_dim]; returns [head_dim].
    """
    scale = len(query) ** -0.5
    query = [q * scale for q in query]  # cheaper than to scale every score
    scores = [dot(query, key) for key in keys]
    weights = softmax([score.data for score in scores])
    return [weighted_mean(column, weights, scores) for column in zip(*values)]


def gpt(
    state_dict: StateDict, token_id: int, pos_id: int, cache: KVCache, settings: Settings
) -> Vector:
    """The logits [vocab_size] for the token after `token_id`, which is at position `pos_id`.

    Logits are scores for every token of the vocabulary; their softmax is the probabilities. The
    cache must hold the positions before this one, which is added to it.
    """
    x: Vector = [t + p for t, p in zip(state_dict["wte"][token_id], state_dict["wpe"][pos_id])]
    # The residual stream starts at unit scale. The first layer normalizes again, but only what
    # goes into attention: the stream itself bypasses that.
    x = rmsnorm(x)
    for i in range(settings.n_layer):
        # attention: every head looks at all positions so far
        residual, x = x, rmsnorm(x)
        query = linear(x, state_dict[f"layer{i}.attn_wq"])
        keys, values = cache[i]
        keys.append(linear(x, state_dict[f"layer{i}.attn_wk"]))
        values.append(linear(x, state_dict[f"layer{i}.attn_wv"]))
        heads: list[Value] = []
        for start in range(0, settings.n_embd, settings.head_dim):
            head = slice(start, start + settings.head_dim)
            heads += attention(query[head], [k[head] for k in keys], [v[head] for v in values])
        x = linear(heads, state_dict[f"layer{i}.attn_wo"])
        x = [a + b for a, b in zip(x, residual)]

        # MLP: every position by itself
        residual, x = x, rmsnorm(x)
        x = [value.relu() for value in linear(x, state_dict[f"layer{i}.mlp_fc1"])]
        x = linear(x, state_dict[f"layer{i}.mlp_fc2"])
        x = [a + b for a, b in zip(x, residual)]
    return linear(x, state_dict["lm_head"])


# --- Training -------------------------------------------------------------------------------------
# A step trains on one document. Forward: predict each of its tokens from those before; the loss
# says how surprised the model was, on average. Backward: find the gradient of the loss. Then Adam
# moves every parameter a little in the direction that lowers it.


def cross_entropy(logits: Vector, target_id: int) -> Value:
    """-log softmax(logits [vocab_size])[target_id], in nats.

    Its derivative with respect to the logits is their softmax, less 1 at the target.
    """
    data = [logit.data for logit in logits]
    probs = softmax(data)
    # -log p_target = (l_max - l_target) - log p_max; p_target can round to 0, p_max cannot
    loss = max(data) - data[target_id] - math.log(max(probs))
    probs[target_id] -= 1.0
    return Value(loss, logits, probs)


def document_loss(state_dict: StateDict, tokens: Sequence[int], settings: Settings) -> Value:
    """The mean cross-entropy of up to block_size tokens, each predicted from those before it."""
    cache = empty_cache(settings)
    n = min(settings.block_size, len(tokens) - 1)
    losses = []
    for pos_id in range(n):
        logits = gpt(state_dict, tokens[pos_id], pos_id, cache, settings)
        losses.append(cross_entropy(logits, tokens[pos_id + 1]))
    return sum(losses, Value(0.0)) * (1 / n)


class Adam:
    """The Adam optimizer (Kingma & Ba 2015) for a list of parameters.

    It keeps two running means for each parameter: of the gradient (m), which gives the direction,
    and of its square (v), which gives the scale.
    """

    beta1, beta2, eps = 0.85, 0.99, 1e-8

    def __init__(self, params: list[Value]) -> None:
        self.params = params
        self.m = [0.0] * len(params)
        self.v = [0.0] * len(params)
        self.steps = 0

    def step(self, lr: float) -> None:
        """Move every parameter against its gradient, at the learning rate lr."""
        m, v, beta1, beta2, eps, sqrt = self.m, self.v, self.beta1, self.beta2, self.eps, math.sqrt
        self.steps += 1
        lr /= 1 - beta1**self.steps  # m and v start at 0, which biases them: corrected here,
        v_scale = 1 / (1 - beta2**self.steps)  # once a step, not once a parameter
        for i, p in enumerate(self.params):
            grad = p.grad
            m[i] = m_i = beta1 * m[i] + (1 - beta1) * grad
            v[i] = v_i = beta2 * v[i] + (1 - beta2) * grad * grad
            p.data -= lr * m_i / (sqrt(v_i * v_scale) + eps)


def train_step(
    state_dict: StateDict, tokens: Sequence[int], adam: Adam, lr: float, settings: Settings
) -> float:
    """One training step on one document, whose loss it returns. Clears the tape.

    The gradients stay in the parameters, to be looked at, until the next step sets them back.
    """
    for p in adam.params:
        p.grad = 0.0
    loss = document_loss(state_dict, tokens, settings)  # the forward pass
    loss.backward()
    adam.step(lr)
    tape.clear()
    return loss.data


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: Sequence[str], settings: Settings
) -> Iterator[float]:
    """Train for num_steps steps, on one document after the other; yield the loss of each step."""
    adam = Adam([p for matrix in state_dict.values() for row in matrix for p in row])
    for step in range(settings.num_steps):
        tokens = tokenizer.encode(docs[step % len(docs)])
        lr = settings.lr * (1 - step / settings.num_steps)  # falls linearly to 0
        yield train_step(state_dict, tokens, adam, lr, settings)


# --- Inference ------------------------------------------------------------------------------------
# The model writes a document token by token: it starts from BOS, and every token that is drawn
# becomes the next input. When BOS is drawn, the document is over.


def sample(state_dict: StateDict, tokenizer: Tokenizer, settings: Settings, rng: Random) -> str:
    """A new document of at most block_size characters.

    Raises FloatingPointError if the logits are not finite, as training that diverged leaves them.
    """
    cache = empty_cache(settings)
    token_id, token_ids = tokenizer.bos, []
    for pos_id in range(settings.block_size):
        with no_grad():
            logits = gpt(state_dict, token_id, pos_id, cache, settings)
        probs = softmax([logit.data for logit in logits], settings.temperature)
        if math.isnan(sum(probs)):
            steps = settings.num_steps
            raise FloatingPointError(f"training diverged at step {steps}: no finite logits")
        token_id = rng.choices(range(tokenizer.vocab_size), weights=probs)[0]
        if token_id == tokenizer.bos:
            break
        token_ids.append(token_id)
    return tokenizer.decode(token_ids)


# --- The whole program ----------------------------------------------------------------------------
# All of the above, in order. One random number generator makes every draw: it shuffles the
# documents, initializes the parameters and samples.


def run(docs: Iterable[str], settings: Settings) -> tuple[StateDict, Tokenizer, Settings, Random]:
    """Train on the documents, then print samples. Returns the arguments for sample().

    Raises FloatingPointError if training diverges.
    """
    rng = Random(settings.seed)
    docs = list(docs)
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


# --- Command line ---------------------------------------------------------------------------------
# The rest is not about GPTs: the status line, the default dataset, options and errors.

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
DOWNLOAD_SECONDS = 20.0


def show_progress(losses: Iterable[float], num_steps: int) -> None:
    """Print each loss on one status line; on a terminal, with an estimate of the time left.

    Raises FloatingPointError if a loss is not finite.
    """
    start, blank = time.monotonic(), ""
    try:
        for step, loss in enumerate(losses, 1):
            if not math.isfinite(loss):
                raise FloatingPointError(f"training diverged at step {step}: the loss is {loss}")
            line = f"step {step:4} / {num_steps:4} | loss {loss:.4f}"
            if sys.stdout and sys.stdout.isatty():
                blank = " " * (shutil.get_terminal_size().columns - 1)  # covers what was there
                left = int(1e3 * (time.monotonic() - start)) * (num_steps - step) // step // 1000
                if step < num_steps:
                    line += f" | {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
                line = f"{line}{blank}"[: len(blank)]
            print(line, end="\r", flush=True)
    except BaseException:
        print(blank and f"\r{blank}\r", end="")
        raise


def default_dataset() -> Path:
    """input.txt in the current folder, else the one beside this script, else a download.

    The names of the published run are downloaded to the current folder, where they appear whole
    and verified, or not at all. Raises DatasetError if that fails.
    """
    here = Path("input.txt")
    for path in (here, Path(__file__).resolve().with_name(here.name)):
        if os.path.lexists(path):  # even a broken link, which is the user's own
            return path

    import hashlib  # only a download needs these
    import tempfile
    import urllib.request
    from http.client import HTTPException

    print(f"there is no {here}: downloading {NAMES_URL}", file=sys.stderr)
    deadline, data = time.monotonic() + DOWNLOAD_SECONDS, b""
    try:
        with urllib.request.urlopen(NAMES_URL, timeout=DOWNLOAD_SECONDS) as response:
            while chunk := response.read1(1 << 16):
                data += chunk
                if time.monotonic() > deadline:
                    raise TimeoutError("timed out")
        if hashlib.sha256(data).hexdigest() != NAMES_SHA256:
            raise OSError("checksum mismatch")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            Path(folder, here.name).write_bytes(data)
            Path(folder, here.name).replace(here)
    except (OSError, HTTPException) as error:
        raise DatasetError(f"download failed: {error}; name a file to train on instead") from None
    return here


@contextlib.contextmanager
def portable_stdout() -> Iterator[None]:
    """Standard output that escapes what it cannot encode, and ends its lines alike everywhere."""
    out = sys.stdout
    if out is not sys.__stdout__ or out is None:  # a notebook's, or closed by the shell
        yield
        return
    out.flush()
    layer = open(out.fileno(), "w", -1, out.encoding, "backslashreplace", "\n", closefd=False)
    with layer, contextlib.redirect_stdout(layer):
        yield


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line. Exits with 1 after an error, 2 after wrong usage, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s [DATASET] [--SETTING N ...]",
        description="Train a small GPT on the documents of a file, then sample new ones from it.",
        epilog="example: %(prog)s my_names.txt --num_steps 2000 --temperature 0.7",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    text = "UTF-8 text with one document a line, - for standard input (default: input.txt)"
    parser.add_argument("dataset", nargs="?", default=None, metavar="DATASET", help=text)
    for f in fields(Settings):
        text = f"{f.metadata['help']} (default: {f.default})"
        parser.add_argument(f"--{f.name}", type=type(f.default), metavar="N", help=text)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")

    collecting = gc.isenabled()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(sys.stderr or nowhere):
        options = vars(parser.parse_args(argv))
        dataset = options.pop("dataset")
        try:
            settings = Settings(**options)
        except ValueError as error:
            parser.error(str(error))
        try:
            if sys.implementation.name == "cpython":
                gc.disable()  # a graph has no cycles: reference counts are enough to free it
            docs = read_docs(default_dataset() if dataset is None else dataset)
            if cut := sum(len(doc) >= settings.block_size for doc in docs):
                text = f"{cut} of {len(docs)} documents are cut to {settings.block_size} tokens"
                print(f"{parser.prog}: warning: {text}", file=sys.stderr)
            with portable_stdout():
                run(docs, settings)
        except KeyboardInterrupt:
            sys.exit(130)
        except (DatasetError, FloatingPointError, MemoryError, OSError) as error:
            if getattr(error, "errno", None) in (errno.EPIPE, errno.EINVAL):
                sys.exit(1)  # the reader of a pipe is gone, as Linux and Windows say it
            text = str(error) or "not enough memory for these settings and documents"
            text = "".join(char if char.isprintable() else "?" for char in text)
            parser.exit(1, f"{parser.prog}: error: {text}\n")
        finally:
            if collecting:
                gc.enable()


if __name__ == "__main__":
    main()
