"""microgpt: train a GPT and sample from it, in one file of pure Python, one scalar at a time.

Read it from top to bottom, in the order in which things happen: a file of documents becomes tokens,
autograd differentiates a small transformer, Adam lowers its loss, and it writes new documents.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on your own file, one document per line
"""

from __future__ import annotations

import argparse
import gc
import io
import math
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from pathlib import Path
from random import Random
from typing import Any

__version__ = "3.0.0"
assert sys.version_info >= (3, 9), "microgpt needs Python 3.9 or later"

# --- Settings -------------------------------------------------------------------------------------
# What can be changed about a run. The options of the command line are made from this list.


def setting(default: float, help: str, minimum: float = -math.inf) -> Any:
    return field(default=default, metadata={"help": help, "minimum": minimum})


@dataclass
class Settings:
    """The settings of a run. Raises ValueError, naming the setting, if one is out of range."""

    n_layer: int = setting(1, "transformer layers", minimum=0)
    n_embd: int = setting(16, "embedding dimension, a multiple of n_head", minimum=1)
    block_size: int = setting(16, "maximum context length, in tokens", minimum=1)
    n_head: int = setting(4, "attention heads", minimum=1)
    num_steps: int = setting(1000, "training steps, one document each", minimum=0)
    lr: float = setting(0.01, "initial learning rate", minimum=1e-300)
    temperature: float = setting(0.5, "sampling temperature: high is wild", minimum=1e-300)
    num_samples: int = setting(20, "documents to sample after training", minimum=0)
    seed: int = setting(42, "seed of the random number generator")

    def __post_init__(self) -> None:
        for f in fields(self):
            value, minimum = getattr(self, f.name), f.metadata["minimum"]
            if not minimum <= value < math.inf:  # nan is refused, too
                raise ValueError(f"{f.name} must be finite and >= {minimum}, got {value}")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")


# --- Dataset --------------------------------------------------------------------------------------
# A dataset is a text file with one document per line. Here a document is a name; it could as well
# be a word, a place or a verse. The model will learn to write more of the same kind.


def read_docs(path: str | Path) -> list[str]:
    """The non-blank lines of a UTF-8 file ("-": standard input), stripped and normalized to NFC.

    Raises OSError if it cannot be read, and ValueError if it is not UTF-8 or holds no documents.
    """
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    docs = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):  # no BOM
        try:
            docs.append(unicodedata.normalize("NFC", line.decode()).strip())
        except UnicodeDecodeError:
            raise ValueError(f"{str(path)!r}: line {number} is not UTF-8") from None
    if not any(docs):
        raise ValueError(f"{str(path)!r}: the dataset holds no documents")
    return [doc for doc in docs if doc]


# --- Tokenizer ------------------------------------------------------------------------------------
# The model computes with numbers, so each distinct character gets an integer, its token id. One
# more token, BOS (beginning of sequence), stands at both ends of a document: the model starts to
# write from it, and predicts it at the end.


class Tokenizer:
    """Characters to token ids and back; with those of ["anna", "bob"], "bob" is [4, 1, 3, 1, 4]."""

    def __init__(self, docs: Iterable[str]) -> None:
        self.chars = sorted(set("".join(docs)))
        self.bos = len(self.chars)
        self.vocab_size = len(self.chars) + 1

    def encode(self, doc: str) -> list[int]:
        """BOS, the id of each character, BOS. Raises ValueError for an unknown character."""
        return [self.bos, *(self.chars.index(char) for char in doc), self.bos]

    def decode(self, token_ids: Iterable[int]) -> str:
        """The characters with these ids, without BOS."""
        return "".join(self.chars[token_id] for token_id in token_ids if token_id != self.bos)


# --- Autograd -------------------------------------------------------------------------------------
# Training needs the derivative of one number, the loss, with respect to thousands of parameters.
# So every scalar is a Value that remembers its children, the Values it was computed from, and its
# local derivative with respect to each. backward() goes from the loss back to the parameters and
# applies the chain rule: a Value's gradient times a local derivative is added to the child's.

# All computed Values, in the order in which they were made: children always precede parents.
tape: list[Value] = []
Vector = Sequence["Value"]


class Value:
    """A scalar in the computation graph: its `data`, and the `grad` that backward() computes.

    `+ - * /` take Values and numbers, `**` a number. There is one tape, for one thread: what is
    computed stays on it until `tape.clear()`. Do not change `data` between its use and backward().

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a**2
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    __slots__ = ("data", "grad", "_children", "_local_grads")

    def __init__(self, data: float, children: Any = (), local_grads: Any = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children  # none for a leaf, such as a parameter
        self._local_grads = local_grads  # d(self)/d(child) for each, or a function: see dot()
        if children:
            tape.append(self)

    def __add__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))
        return Value(self.data + other, (self,), (1.0,))

    def __mul__(self, other: Value | float) -> Value:
        if isinstance(other, Value):
            return Value(self.data * other.data, (self, other), (other.data, self.data))
        return Value(self.data * other, (self,), (other,))

    def __pow__(self, n: float) -> Value:
        return Value(math.pow(self.data, n), (self,), (n * math.pow(self.data, n - 1),))

    # fmt: off
    def exp(self) -> Value: return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def log(self) -> Value: return Value(math.log(self.data), (self,), (1 / self.data,))
    def relu(self) -> Value: return Value(max(0.0, self.data), (self,), (float(self.data > 0),))
    __radd__, __rmul__ = __add__, __mul__
    def __neg__(self) -> Value: return self * -1
    def __sub__(self, other: Value | float) -> Value: return self + -other
    def __rsub__(self, other: float) -> Value: return -self + other
    def __truediv__(self, other: Value | float) -> Value: return self * (1 / other)
    def __rtruediv__(self, other: float) -> Value: return self**-1 * other
    def __repr__(self) -> str: return f"Value(data={self.data}, grad={self.grad})"
    # fmt: on

    def backward(self) -> None:
        """Set `v.grad` to d(self)/d(v) for every Value v on the tape.

        The grad of a leaf, a Value that was not computed, accumulates over calls until you reset
        it. Raises RuntimeError if self has left the tape.
        """
        if self._children and not any(node is self for node in reversed(tape)):
            raise RuntimeError("backward() of a Value that is no longer on the tape")
        for node in tape:
            node.grad = 0.0
        self.grad += 1.0
        for node in reversed(tape):
            if not node.grad:
                continue  # there is nothing to pass on
            if callable(node._local_grads):
                node._local_grads(node)
            else:
                for child, local_grad in zip(node._children, node._local_grads):
                    child.grad += local_grad * node.grad


# One Value for a whole sum of products, not two per term, makes this fast: it has a function in the
# place of local derivatives. The sums are loops, as sum() rounds differently from Python 3.12 on.


def dot(xs: Vector, ys: Vector) -> Value:
    """The dot product of two sequences of Values, [n] each."""
    total = 0.0
    for x, y in zip(xs, ys):
        total += x.data * y.data
    return Value(total, (xs, ys), dot_backprop)


def dot_backprop(node: Value) -> None:
    grad = node.grad
    for x, y in zip(*node._children):
        x.grad += y.data * grad  # d(x * y)/dx = y
        y.grad += x.data * grad


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Numbers [n] to probabilities [n], in proportion to exp(number / temperature)."""
    largest = max(logits)  # subtracted so that nothing can overflow; the proportions stay
    exps = [math.exp((logit - largest) / temperature) for logit in logits]
    total = 0.0
    for e in exps:
        total += e
    return [e / total for e in exps]


def softmax_mean(scores: Vector, values: Sequence[Vector], temperature: float) -> Vector:
    """The mean [m] of values [n][m], weighted by the softmax of scores [n]."""
    weights = softmax([score.data for score in scores], temperature)
    means = []
    for column in zip(*values):
        mean = 0.0
        for value, weight in zip(column, weights):
            mean += value.data * weight
        means.append(Value(mean, (column, weights, scores, temperature), softmax_mean_backprop))
    return means


def softmax_mean_backprop(node: Value) -> None:
    column, weights, scores, temperature = node._children
    mean, grad, score_grad = node.data, node.grad, node.grad / temperature
    for value, weight, score in zip(column, weights, scores):
        value.grad += weight * grad  # d(mean)/d(value) = weight
        score.grad += weight * (value.data - mean) * score_grad


# --- Parameters -----------------------------------------------------------------------------------
# All that the model knows is in its parameters: matrices of Values, random at first, each with a
# name in the state dict. Training changes nothing else.

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
        for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo"):
            state_dict[f"layer{i}.{name}"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
    return state_dict


# --- Model ----------------------------------------------------------------------------------------
# GPT-2 (Radford et al. 2019) with RMSNorm for LayerNorm, ReLU for GeLU, no biases and no final
# norm. gpt() reads one token and predicts the next. The token's vector goes through the layers as
# the residual stream: in each, attention gathers what is useful from the tokens so far, an MLP
# processes it, and both add their results to the stream.

KV = list[list[tuple[list[Vector], list[Vector]]]]


def empty_cache(settings: Settings) -> KV:
    """For each head of each layer a list of keys and a list of values, one of each per position."""
    return [[([], []) for _ in range(settings.n_head)] for _ in range(settings.n_layer)]


def add(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y)]


def linear(x: Vector, matrix: Matrix) -> Vector:
    """The matrix [n_out][n_in] times x [n_in]: the dot product of x with each row."""
    return [dot(x, row) for row in matrix]


def relu_linear(x: Vector, matrix: Matrix) -> Vector:
    """linear(relu(x), matrix), at half the work: what ReLU sets to 0 is left out of the sums."""
    on = [value.data > 0 for value in x]
    active = list(compress(x, on))
    return [dot(active, list(compress(row, on))) for row in matrix]


def rmsnorm(x: Vector) -> Vector:
    """Scale x [n] to a root mean square of 1 (Zhang & Sennrich 2019), without a learned gain."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [value * scale for value in x]


def gpt(state_dict: StateDict, token_id: int, pos_id: int, cache: KV, settings: Settings) -> Vector:
    """The logits [vocab_size] of the token after `token_id`, which is at position `pos_id`.

    Their softmax is its probabilities. The cache holds all positions before; this one is added.
    """
    # The residual stream starts at unit scale. The first layer normalizes again, but only what
    # goes into attention: the stream itself bypasses that.
    x = rmsnorm(add(state_dict["wte"][token_id], state_dict["wpe"][pos_id]))
    head_dim = settings.n_embd // settings.n_head
    for i in range(settings.n_layer):
        # Attention (Vaswani et al. 2017): each head compares the query of this position with the
        # keys of all positions so far, and takes the mean of their values, weighted by the match.
        normed = rmsnorm(x)
        query = linear(normed, state_dict[f"layer{i}.attn_wq"])
        key = linear(normed, state_dict[f"layer{i}.attn_wk"])
        value = linear(normed, state_dict[f"layer{i}.attn_wv"])
        outputs: list[Value] = []
        for h, (keys, values) in enumerate(cache[i]):
            head = slice(h * head_dim, (h + 1) * head_dim)
            keys.append(key[head])
            values.append(value[head])
            q = query[head]
            scores = [dot(q, k) for k in keys]
            outputs += softmax_mean(scores, values, temperature=math.sqrt(head_dim))
        x = add(x, linear(outputs, state_dict[f"layer{i}.attn_wo"]))

        # MLP: each position by itself
        hidden = linear(rmsnorm(x), state_dict[f"layer{i}.mlp_fc1"])
        x = add(x, relu_linear(hidden, state_dict[f"layer{i}.mlp_fc2"]))
    return linear(x, state_dict["lm_head"])


# --- Training -------------------------------------------------------------------------------------
# A step trains on one document. Forward: predict each of its tokens from those before; the loss
# says how surprised the model was, on average. Backward: find the gradient of the loss. Then Adam
# moves every parameter a little in the direction that lowers it.


def cross_entropy(logits: Vector, target_id: int) -> Value:
    """-log softmax(logits [vocab_size])[target_id], in nats."""
    data = [logit.data for logit in logits]
    probs = softmax(data)
    # by way of the likeliest token, as the probability of the target itself can round to 0
    log_prob = math.log(max(probs)) - (max(data) - data[target_id])
    probs[target_id] -= 1.0  # d(loss)/d(logits) is the softmax, less 1 at the target
    return Value(-log_prob, logits, probs)


def document_loss(state_dict: StateDict, tokens: Sequence[int], settings: Settings) -> Value:
    """The mean cross-entropy of up to block_size tokens, each predicted from those before it."""
    cache = empty_cache(settings)
    n = min(settings.block_size, len(tokens) - 1)
    total = Value(0.0)
    for pos_id in range(n):
        logits = gpt(state_dict, tokens[pos_id], pos_id, cache, settings)
        total = total + cross_entropy(logits, tokens[pos_id + 1])
    return total * (1 / n)


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: Sequence[str], settings: Settings
) -> Iterator[float]:
    """Train for num_steps steps, one document each; yield each loss. Clears the tape."""
    params = [p for matrix in state_dict.values() for row in matrix for p in row]
    # Adam (Kingma & Ba 2015) keeps two running means for each parameter: of its gradient (m), which
    # gives the direction, and of the square of its gradient (v), which gives the scale.
    m, v = [0.0] * len(params), [0.0] * len(params)
    beta1, beta2, eps = 0.85, 0.99, 1e-8
    gain1, gain2, sqrt = 1 - beta1, 1 - beta2, math.sqrt  # once: it saves 5 % of a step
    for step in range(settings.num_steps):
        tokens = tokenizer.encode(docs[step % len(docs)][: settings.block_size])
        loss = document_loss(state_dict, tokens, settings)  # forward

        for p in params:
            p.grad = 0.0
        loss.backward()

        lr = settings.lr * (1 - step / settings.num_steps)  # falls linearly to 0
        m_scale = lr / (1 - beta1 ** (step + 1))  # m and v start at 0, which biases them:
        v_scale = 1 / (1 - beta2 ** (step + 1))  # corrected here, once per step
        for i, p in enumerate(params):
            grad = p.grad
            m[i] = m_i = beta1 * m[i] + gain1 * grad
            v[i] = v_i = beta2 * v[i] + gain2 * grad * grad
            p.data -= m_scale * m_i / (sqrt(v_i * v_scale) + eps)
        loss_data = loss.data
        del loss  # so that the graph is freed here, before the next one is built
        tape.clear()
        yield loss_data


# --- Inference ------------------------------------------------------------------------------------
# The model writes a document token by token: it starts from BOS, and every token that is drawn
# becomes the next input. When BOS is drawn, the document is over.


def sample(
    state_dict: StateDict, tokenizer: Tokenizer, settings: Settings, rng: Random, prompt: str = ""
) -> str:
    """A new document of at most block_size characters; the prompt, its start, must be shorter.

    Raises ValueError for an unknown character, and FloatingPointError if training diverged.
    """
    start = len(tape)
    cache = empty_cache(settings)
    token_ids = tokenizer.encode(prompt)[:-1]
    for pos_id in range(settings.block_size):
        logits = gpt(state_dict, token_ids[pos_id], pos_id, cache, settings)
        if pos_id + 1 < len(token_ids):
            continue  # the next token is still one of the prompt
        probs = softmax([logit.data for logit in logits], settings.temperature)
        if math.isnan(sum(probs)):
            raise FloatingPointError("training diverged: the logits are not finite")
        token_ids += rng.choices(range(tokenizer.vocab_size), weights=probs)
        if token_ids[-1] == tokenizer.bos:
            break
    del tape[start:]  # nothing here will be differentiated
    return tokenizer.decode(token_ids)


# --- The whole program ----------------------------------------------------------------------------
# All of the above, in order. One random number generator makes every draw: it shuffles the
# documents, initializes the parameters and samples.


def run(docs: Sequence[str], settings: Settings, prompt: str = "") -> StateDict:
    """Train on the documents, then print samples. Returns the trained parameters.

    Raises ValueError if docs or prompt cannot be used, and FloatingPointError on divergence.
    """
    if isinstance(docs, str) or not docs:
        raise ValueError("docs must be a list of at least one document")
    rng = Random(settings.seed)
    docs = list(docs)
    rng.shuffle(docs)
    tokenizer = Tokenizer(docs)
    if len(prompt) >= settings.block_size or not set(prompt) <= set(tokenizer.chars):
        raise ValueError(f"prompt {prompt!r} is too long or has characters the dataset has not")
    state_dict = init_state_dict(settings, tokenizer.vocab_size, rng)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    print(f"num params: {sum(len(row) for matrix in state_dict.values() for row in matrix)}")
    start = time.monotonic_ns()
    for step, loss in enumerate(train(state_dict, tokenizer, docs, settings), 1):
        if not math.isfinite(loss):
            raise FloatingPointError(f"training diverged at step {step}: the loss is {loss}")
        status = f"step {step:4} / {settings.num_steps:4} | loss {loss:.4f}"
        if sys.stdout.isatty():  # add the time left; the last status wipes it out
            seconds = (time.monotonic_ns() - start) * (settings.num_steps - step) // step // 10**9
            status += f" | {seconds} s left  " if step < settings.num_steps else " " * 20
        print(status, end="\r", flush=True)
    print("\n--- inference (new, hallucinated names) ---", flush=True)
    for i in range(1, settings.num_samples + 1):
        print(f"sample {i:2}: {sample(state_dict, tokenizer, settings, rng, prompt)}", flush=True)
    return state_dict


# --- Command line ---------------------------------------------------------------------------------
# The rest is not about GPTs: the default dataset, options and errors.

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"


def warn(text: str) -> None:
    try:
        print(text, file=sys.stderr)
    except OSError:  # nobody reads it: go on, and keep Python from trying again at exit
        sys.stderr = io.StringIO()


def default_dataset() -> Path:
    """input.txt in the current folder, else beside this file, else downloaded, verified, whole."""
    here = Path("input.txt")
    for path in (here, Path(globals().get("__file__", here)).resolve().with_name(here.name)):
        if path.exists():
            return path
    import hashlib  # seldom needed, and larger than everything else here
    import tempfile
    import urllib.request

    warn(f"there is no {here}: downloading {NAMES_URL}")
    try:
        with urllib.request.urlopen(NAMES_URL, timeout=20) as response:
            data = response.read()
        if hashlib.sha256(data).hexdigest() != NAMES_SHA256:
            raise ValueError("checksum mismatch")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            Path(folder, here.name).write_bytes(data)
            Path(folder, here.name).replace(here)
    except Exception as error:  # of many types: a malformed proxy alone raises three
        raise ValueError(f"download failed: {error}; name a file to train on instead") from None
    return here


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line. Exits with 1 after an error, 2 after wrong usage, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description="Train a GPT and sample it.", allow_abbrev=False)
    parser.set_defaults(**vars(Settings()))
    text = "UTF-8 text with one document per line, - for standard input (default: input.txt)"
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help=text)
    for f in fields(Settings):
        text = f"{f.metadata['help']} (default: %(default)s)"
        parser.add_argument(f"--{f.name}", type=type(f.default), metavar="N", help=text)
    parser.add_argument("--prompt", default="", metavar="TEXT", help="beginning of every sample")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = vars(parser.parse_args(argv))
    dataset, prompt = options.pop("dataset"), options.pop("prompt")
    try:
        settings, prompt = Settings(**options), unicodedata.normalize("NFC", prompt)
    except (TypeError, ValueError) as error:  # argparse may read "--seed=--" as []
        parser.error(str(error))
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.implementation.name == "cpython":
        gc.disable()  # a graph has no cycles: reference counts are enough to free it
    try:
        docs = read_docs(default_dataset() if dataset is None else dataset)
        if cut := sum(len(doc) >= settings.block_size for doc in docs):
            warn(f"warning: {cut} of {len(docs)} documents are cut to {settings.block_size} tokens")
        run(docs, settings, prompt)
    except KeyboardInterrupt:
        parser.exit(130, "\n")
    except (OSError, ValueError, FloatingPointError, MemoryError) as error:
        if isinstance(error, OSError) and error.filename is None:  # standard output: give it up
            sys.stdout = io.StringIO()
        text = f"{parser.prog}: error: {' '.join(str(error).split()) or 'out of memory'}\n"
        parser.exit(1, "" if isinstance(error, BrokenPipeError) else text)


if __name__ == "__main__":
    main()
