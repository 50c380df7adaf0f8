"""microgpt: train a GPT and sample from it, in one file of pure Python, one scalar at a time.

Read it from top to bottom: text becomes tokens, a small transformer learns to predict each token
from those before it, and then it writes new text. Given the same data, it computes to the last
bit what Andrej Karpathy's microgpt.py, "the original", does.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on your own file, one document per line
"""

from __future__ import annotations  # for Python 3.9

import argparse
import errno
import gc
import math
import os
import sys
import typing
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

# --- Tokenizer ------------------------------------------------------------------------------------
# The dataset is a list of documents: here names, but words, places or verses do as well. A model
# computes with numbers, so each distinct character becomes a token, which has an integer id. One
# more token, BOS (beginning of sequence), marks both the beginning and the end of a document.


class Tokenizer:
    """Turns characters into token ids, and back.

    >>> Tokenizer(["anna", "bob"]).encode("bob")
    [4, 1, 3, 1, 4]
    """

    def __init__(self, docs: Iterable[str]) -> None:
        self.chars = sorted(set("".join(docs)))
        self.bos = len(self.chars)
        self.vocab_size = len(self.chars) + 1

    def encode(self, doc: str) -> list[int]:
        """BOS, the id of each character, BOS. Raises ValueError for an unknown character."""
        for char in doc:
            if char not in self.chars:
                raise ValueError(f"the character {char!r} does not occur in the dataset")
        return [self.bos, *(self.chars.index(char) for char in doc), self.bos]

    def decode(self, token_ids: Iterable[int]) -> str:
        """The characters with these ids, without BOS."""
        return "".join(self.chars[token_id] for token_id in token_ids if token_id != self.bos)


# --- Autograd -------------------------------------------------------------------------------------
# The loss is one number that says how wrong the model is. Training has to know, for each of
# thousands of parameters, how fast the loss changes with it. So the model computes with Values, and
# the gradient of a Value is the derivative of the loss with respect to it. A Value that is computed
# from others, its children, goes on the tape. backward() walks the tape from its end; each Value
# passes its gradient on to its children: this is the chain rule. By then that gradient is complete,
# as whatever was computed from the Value stands later on the tape.

tape: list[Value] = []  # every computed Value, after its children


def chain_rule(node: Value) -> None:
    """Add the node's gradient times the local derivative to the gradient of each child."""
    if node.grad:  # 0 adds nothing
        for child, local_grad in zip(node._children, node._local_grads):
            child.grad += local_grad * node.grad


class Value:
    """A number in the computation graph: its `data`, and the `grad` that backward() computes.

    `+ - * /` take Values and numbers, `**` a number. There is one tape, for one thread: what is
    computed stays on it until `tape.clear()`, and is a constant from then on. Before backward(),
    change no `data` that was used, and no list that linear() or softmax() has got or returned.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a**2
    >>> c.backward()
    >>> c.data, a.grad, b.grad
    (-2.0, 1.0, 2.0)
    """

    __slots__ = ("data", "grad", "_children", "_local_grads", "_backprop")

    def __init__(
        self,
        data: float,
        children: Sequence[Value] = (),
        local_grads: Sequence[typing.Any] = (),
        backprop: Callable[[Value], None] = chain_rule,
    ) -> None:
        self.data = data
        self.grad = 0.0  # d(loss)/d(self), after loss.backward()
        self._children = children  # what it was computed from (of a dot product, only x)
        self._local_grads = local_grads  # d(self)/d(child) for each, or what else backprop needs
        self._backprop = backprop  # passes the gradient on to the children
        if children:  # else it is a leaf: a parameter, or a constant
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
        return Value(self.data**n, (self,), (n * self.data ** (n - 1),))

    # fmt: off
    def exp(self) -> Value: return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def log(self) -> Value: return Value(math.log(self.data), (self,), (1 / self.data,))
    def relu(self) -> Value: return Value(max(0.0, self.data), (self,), (float(self.data > 0),))
    __radd__, __rmul__ = __add__, __mul__
    def __neg__(self) -> Value: return self * -1
    def __sub__(self, other: Value | float) -> Value: return self + -other
    def __rsub__(self, other: float) -> Value: return -self + other
    # a power, as in the original: 1 / x can round differently
    def __truediv__(self, other: Value | float) -> Value: return self * other**-1.0
    def __rtruediv__(self, other: float) -> Value: return self**-1.0 * other
    def __repr__(self) -> str: return f"Value(data={self.data}, grad={self.grad})"
    # fmt: on

    def backward(self) -> None:
        """Set `v.grad` to d(self)/d(v) for each v on the tape; add it to `v.grad` of each leaf.

        So the gradients of leaves, such as parameters, add up over calls, until they are set to 0.
        Raises RuntimeError if self was computed before `tape.clear()`.
        """
        if self._children and self not in reversed(tape):  # a loss is found at once, at the end
            raise RuntimeError("backward() of a Value that is no longer on the tape")
        for node in tape:
            node.grad = 0.0
        self.grad += 1.0
        for node in reversed(tape):
            node._backprop(node)


# --- Settings -------------------------------------------------------------------------------------
# What can be changed about a run: the sizes of the model, its training, its sampling, and the seed.
# Each setting is also an option of the command line; the text beside it is the option's help.


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Raises ValueError, saying what is allowed, if one is out of range."""

    # "typing." is needed: dataclass() looks a bare Annotated up in a module that may not be there
    n_layer: typing.Annotated[int, "transformer layers"] = 1
    n_embd: typing.Annotated[int, "embedding dimension, a multiple of n_head"] = 16
    block_size: typing.Annotated[int, "maximum context length, in tokens"] = 16
    n_head: typing.Annotated[int, "attention heads"] = 4
    num_steps: typing.Annotated[int, "training steps, one document each"] = 1000
    lr: typing.Annotated[float, "initial learning rate"] = 0.01
    temperature: typing.Annotated[float, "sampling temperature: higher is wilder"] = 0.5
    num_samples: typing.Annotated[int, "documents to sample after training"] = 20
    seed: typing.Annotated[int, "seed of the random number generator"] = 42

    def __post_init__(self) -> None:
        # The least of each; 1e-300 is more than 0, and 1 / temperature is finite.
        least = {"n_embd": 1, "block_size": 1, "n_head": 1, "lr": 1e-300, "temperature": 1e-300}
        for name, value in vars(self).items():
            if name != "seed" and not least.get(name, 0) <= value < math.inf:
                raise ValueError(f"{name} must be finite and >= {least.get(name, 0)}, not {value}")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")


# --- Parameters -----------------------------------------------------------------------------------
# Everything the model knows is in its parameters: matrices of Values, random at first, each with a
# name in the state dict. Training changes nothing else.

Vector = Sequence[Value]  # [n]
Matrix = list[Vector]  # [n_out][n_in]: a row for each output
StateDict = dict[str, Matrix]


def init_state_dict(settings: Settings, vocab_size: int, rng: Random) -> StateDict:
    """The parameters of an untrained model, drawn from a normal distribution around 0."""

    def matrix(n_out: int, n_in: int) -> Matrix:
        return [[Value(rng.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]

    n_embd = settings.n_embd
    state_dict = {
        "wte": matrix(vocab_size, n_embd),  # token embeddings: a row for each token
        "wpe": matrix(settings.block_size, n_embd),  # position embeddings: a row for each position
        "lm_head": matrix(vocab_size, n_embd),  # from the last layer to the logits
    }
    for i in range(settings.n_layer):
        for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo"):  # query, key, value, output
            state_dict[f"layer{i}.{name}"] = matrix(n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc1"] = matrix(4 * n_embd, n_embd)
        state_dict[f"layer{i}.mlp_fc2"] = matrix(n_embd, 4 * n_embd)
    return state_dict


# --- Model ----------------------------------------------------------------------------------------
# A token and its position become a vector, the residual stream. Every layer adds to it twice: first
# what attention gathers from the tokens so far, then what an MLP (two matrices, and ReLU between
# them) computes from the sum. Last come the logits: for each token, a score for being the next.
# This is GPT-2 (Radford et al. 2019) with RMSNorm for LayerNorm, ReLU for GeLU, no biases, a norm
# at the start and none at the end, and an lm_head that is not tied to wte. Comments on the order
# of additions can be skipped: floats are rounded, so the last bits of a sum depend on that order,
# and it is the original's.

Heads = list[tuple[Matrix, Matrix]]  # [n_head]: the keys and the values of all positions so far


def init_cache(settings: Settings) -> list[Heads]:
    """An empty KV (key and value) cache [n_layer]: gpt() goes through a layer for each entry."""
    return [[([], []) for _ in range(settings.n_head)] for _ in range(settings.n_layer)]


def add(x: Vector, y: Vector) -> Vector:
    return [x_i + y_i for x_i, y_i in zip(x, y)]


def linear(x: Vector, matrix: Iterable[Vector]) -> Vector:
    """The matrix [n_out][n_in] times x [n_in]: the dot product of x with each row, [n_out].

    A dot product is one Value, not one for each `*` and `+`: this is what makes microgpt fast.
    """
    products = []
    js = range(len(x))
    for row in matrix:
        total = 0.0
        for j in js:  # not sum(), which rounds differently since Python 3.12
            total += x[j].data * row[j].data
        products.append(Value(total, x, row, dot_backprop))
    return products


def dot_backprop(product: Value) -> None:
    """The chain rule for a sum of x_j * w_j: d/d(x_j) is w_j, and d/d(w_j) is x_j (w: the row)."""
    x, row, grad = product._children, product._local_grads, product.grad
    if grad:
        for x_j, w_j in zip(x, row):
            x_j.grad += w_j.data * grad
            w_j.grad += x_j.data * grad


def softmax(logits: Vector, temperature: float = 1.0) -> Vector:
    """Turn scores [n] into probabilities [n], in proportion to exp(score / temperature)."""
    scale = temperature**-1
    largest = scale * max(logit.data for logit in logits)
    exps = [math.exp(scale * logit.data - largest) for logit in logits]  # at most 1: no overflow
    total = 0.0
    for e in exps:
        total += e
    inverse = total**-1
    probs = [Value(e * inverse, logits) for e in exps]
    # They have no local derivatives: one more Value, the total, passes on the gradients of all.
    Value(total, logits, (scale, exps, probs), softmax_backprop)
    return probs


def softmax_backprop(total: Value) -> None:
    """The chain rule for prob = e / total: each logit acts through its own e and through the total.

    In textbooks logit.grad is scale * prob * (prob.grad - the sum of all prob * prob.grad). This is
    the same, in the original's order of additions.
    """
    scale, exps, probs = total._local_grads
    if not any(prob.grad for prob in probs):
        return  # 0 adds nothing
    inverse, slope = total.data**-1, -(total.data**-2)  # 1 / total, and its derivative
    for e, prob in zip(reversed(exps), reversed(probs)):
        total.grad += slope * (e * prob.grad)
    for e, prob, logit in zip(exps, probs, total._children):
        logit.grad += scale * (e * (inverse * prob.grad + total.grad))  # exp's derivative is e


def rmsnorm(x: Vector) -> Vector:
    """Scale x [n] to a root mean square of 1 (Zhang & Sennrich 2019), without learned weights."""
    [sum_of_squares] = linear(x, [x])  # x times itself
    scale = (sum_of_squares / len(x) + 1e-5) ** -0.5  # 1e-5 keeps it from dividing by 0
    return [x_i * scale for x_i in x]


def attention(x: Vector, wq: Matrix, wk: Matrix, wv: Matrix, wo: Matrix, heads: Heads) -> Vector:
    """What this token gathers from all tokens so far (Vaswani et al. 2017): [n_embd] to [n_embd].

    Each head makes three vectors [head_dim] of x: a query (what this token looks for), a key (what
    it is found by) and a value (what it hands over; made of Values, as every vector is here). Its
    output is the mean of all values so far, weighted by the softmax of query times key over the
    root of head_dim: dot products grow with that root.
    """
    head_dim = len(x) // len(heads)
    outputs: list[Value] = []
    # The order of additions: the query, key and value of one head before those of the next.
    for h, (keys, values) in enumerate(heads):
        rows = slice(h * head_dim, (h + 1) * head_dim)  # of each matrix, those of this head
        query = linear(x, wq[rows])
        keys.append(linear(x, wk[rows]))
        values.append(linear(x, wv[rows]))
        weights = softmax(linear(query, keys), temperature=head_dim**0.5)
        outputs += linear(weights, zip(*values))  # transposed: a row for each element of a value
    return linear(outputs, wo)


def mlp(x: Vector, fc1: Matrix, fc2: Matrix) -> Vector:
    """What a layer computes for each token by itself, fc2 times relu(fc1 times x): [n_embd]."""
    hidden = linear(x, fc1)
    # This is linear([h.relu() for h in hidden], fc2), but quicker: what ReLU sets to 0 is left out.
    on = [j for j, h in enumerate(hidden) if h.data > 0]
    return linear([hidden[j] for j in on], [[row[j] for j in on] for row in fc2])


def gpt(state_dict: StateDict, token_id: int, pos_id: int, cache: list[Heads]) -> Vector:
    """Read the token at pos_id, and return the logits [vocab_size] of the next. The cache grows."""
    # Not redundant: a layer normalizes only what it reads; what it adds to is this x itself.
    x = rmsnorm(add(state_dict["wte"][token_id], state_dict["wpe"][pos_id]))
    for i, heads in enumerate(cache):
        wq, wk, wv, wo = (state_dict[f"layer{i}.attn_{name}"] for name in ("wq", "wk", "wv", "wo"))
        x = add(x, attention(rmsnorm(x), wq, wk, wv, wo, heads))
        fc1, fc2 = state_dict[f"layer{i}.mlp_fc1"], state_dict[f"layer{i}.mlp_fc2"]
        x = add(x, mlp(rmsnorm(x), fc1, fc2))
    return linear(x, state_dict["lm_head"])


# --- Training -------------------------------------------------------------------------------------
# A step trains on one document. Forward: predict each of its tokens from those before; the loss is
# the mean surprise, -log of the right token's probability. Backward: find the gradient of the loss.
# Then Adam moves every parameter a little in the direction that lowers it.


def document_loss(state_dict: StateDict, token_ids: list[int], settings: Settings) -> Value:
    """The mean cross-entropy, in nats, of up to block_size tokens, each given those before it."""
    cache = init_cache(settings)
    losses = []
    for pos_id, token_id, target_id in zip(range(settings.block_size), token_ids, token_ids[1:]):
        logits = gpt(state_dict, token_id, pos_id, cache)
        move_target_first(logits, target_id)
        losses.append(-softmax(logits)[target_id].log())
    return sum(losses, Value(0.0)) * (1 / len(losses))


def move_target_first(logits: Vector, target_id: int) -> None:
    """Put the target's logit first among the logits on the tape: backward() comes to it last then.

    This is the order of additions. Only the products of one x at the tape's end can change places;
    where a changed gpt() ends in anything else, the tape is left as it is.
    """
    end, x = slice(-len(logits), None), logits[0]._children
    if tape[end] == logits and all(logit._children is x for logit in logits):
        tape[end] = [logits[target_id], *logits[:target_id], *logits[target_id + 1 :]]


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: Sequence[str], settings: Settings
) -> Iterator[float]:
    """Train for num_steps steps, one document each; yield each loss. Clears the tape."""
    params = [p for matrix in state_dict.values() for row in matrix for p in row]
    for p in params:
        p.grad = 0.0  # backward() only adds to it
    # Adam (Kingma & Ba 2015) keeps two running means for each parameter: m of its gradient, which
    # gives the direction, and v of the square of its gradient; m is divided by the root of v.
    m, v = [0.0] * len(params), [0.0] * len(params)
    beta1, beta2, eps = 0.85, 0.99, 1e-8  # the shares of m and v that stay; eps avoids 0 / 0
    new1, new2 = 1 - beta1, 1 - beta2  # the shares that are new
    for step in range(settings.num_steps):
        doc = docs[step % len(docs)][: settings.block_size]  # a line may be a megabyte long
        loss = document_loss(state_dict, tokenizer.encode(doc), settings)  # forward
        if not math.isfinite(loss.data):
            raise FloatingPointError("the loss is not finite")
        loss.backward()

        lr = settings.lr * (1 - step / settings.num_steps)  # falls linearly towards 0
        # As m and v start at 0, they are too small at first: by these factors (bias correction).
        bias1, bias2 = 1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)
        for i, p in enumerate(params):
            m[i] = beta1 * m[i] + new1 * p.grad
            v[i] = beta2 * v[i] + new2 * p.grad**2.0  # not g * g, which can differ
            p.data -= lr * (m[i] / bias1) / ((v[i] / bias2) ** 0.5 + eps)
            p.grad = 0.0
        tape.clear()
        yield loss.data
        del loss  # so that this graph is freed before the next one is built


# --- Inference ------------------------------------------------------------------------------------
# The model writes a document token by token: it starts from BOS, and every token that is drawn
# becomes the next input. When BOS is drawn, the document is over.


def prompt_ids(prompt: str, tokenizer: Tokenizer, settings: Settings) -> list[int]:
    """BOS and the ids of the prompt; ValueError if it is too long or has an unknown character."""
    prompt = unicodedata.normalize("NFC", prompt)  # as read_docs() does with the documents
    if len(prompt) >= settings.block_size:
        raise ValueError(f"the prompt must be shorter than block_size, {settings.block_size}")
    return tokenizer.encode(prompt)[:-1]


def sample(
    state_dict: StateDict, tokenizer: Tokenizer, settings: Settings, rng: Random, prompt: str = ""
) -> str:
    """A new document of up to block_size characters; ValueError for what prompt_ids() refuses."""
    start = len(tape)
    token_ids = prompt_ids(prompt, tokenizer, settings)
    cache = init_cache(settings)
    for pos_id in range(settings.block_size):
        logits = gpt(state_dict, token_ids[pos_id], pos_id, cache)
        if pos_id + 1 == len(token_ids):  # all is read: draw what comes next
            probs = [prob.data for prob in softmax(logits, settings.temperature)]
            if not math.isfinite(sum(probs)):
                raise FloatingPointError("training diverged: the logits are not finite")
            token_ids += rng.choices(range(tokenizer.vocab_size), weights=probs)
            if token_ids[-1] == tokenizer.bos:
                break
    del tape[start:]  # nothing here will be differentiated
    return tokenizer.decode(token_ids)


# --- The whole program ----------------------------------------------------------------------------
# All of the above, in order. One random number generator makes every draw: it shuffles the
# documents, initializes the parameters and samples.


def run(docs: Iterable[str], settings: Settings, prompt: str = "") -> StateDict:
    """Train on the documents, then print samples. Returns the trained parameters.

    Raises ValueError if docs or prompt cannot be used, and FloatingPointError on divergence.
    """
    docs = [] if isinstance(docs, str) else list(docs)  # a text, or a path, is not a list of texts
    if not docs:
        raise ValueError("docs must be a list of at least one text")
    rng = Random(settings.seed)
    rng.shuffle(docs)
    tokenizer = Tokenizer(docs)
    prompt_ids(prompt, tokenizer, settings)  # a bad one is refused now, not after training
    state_dict = init_state_dict(settings, tokenizer.vocab_size, rng)
    num_params = sum(len(row) for matrix in state_dict.values() for row in matrix)
    print(f"num docs: {len(docs)}\nvocab size: {tokenizer.vocab_size}")
    print(f"num params: {num_params}", flush=True)
    step = 0
    try:
        for step, loss in enumerate(train(state_dict, tokenizer, docs, settings), 1):
            print(f"step {step:4} / {settings.num_steps:4} | loss {loss:.4f}", end="\r", flush=True)
    except (ArithmeticError, ValueError) as error:  # too large a number, or the log of 0
        raise FloatingPointError(f"training diverged after step {step}: {error}") from error
    print("\n--- inference (new, hallucinated names) ---", flush=True)
    for i in range(1, settings.num_samples + 1):
        print(f"sample {i:2}: {sample(state_dict, tokenizer, settings, rng, prompt)}", flush=True)
    return state_dict


# --- Command line ---------------------------------------------------------------------------------
# The rest is not about GPTs: files, options and errors.

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
__version__ = "6.0.0"


def read_docs(path: str | Path) -> list[str]:
    """The non-blank lines of a UTF-8 file ("-": stdin), stripped, in NFC; or raises ValueError."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
        text = data.decode("utf-8-sig")  # with or without a byte order mark
    except OSError as error:
        raise ValueError(f"{str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = len(error.object[: error.start + 1].splitlines())
        raise ValueError(f"{str(path)!r}: line {line} is not UTF-8") from None
    lines = unicodedata.normalize("NFC", text).replace("\r", "\n").split("\n")
    docs = [line.strip() for line in lines if line.strip()]
    if not docs:
        raise ValueError(f"{str(path)!r}: the dataset holds no documents")
    return docs


def default_dataset() -> Path:
    """Find input.txt here or beside the script, else download it; ValueError if that fails."""
    try:
        script = main.__code__.co_filename  # not __file__, which a notebook lacks
        for folder in ("", os.path.dirname(os.path.realpath(script))):
            if Path(folder, "input.txt").exists():
                return Path(folder, "input.txt")
        import hashlib  # seldom needed, and slow to import
        import tempfile
        import urllib.request

        print(f"there is no input.txt: downloading {NAMES_URL}", file=sys.stderr)
        with urllib.request.urlopen(NAMES_URL, timeout=20) as response:
            data = response.read(1_000_000)
        if hashlib.sha256(data).hexdigest() != NAMES_SHA256:
            raise ValueError("checksum mismatch")
        with tempfile.TemporaryDirectory(dir=".") as unfinished:
            Path(unfinished, "input.txt").write_bytes(data)
            Path(unfinished, "input.txt").replace("input.txt")
    except Exception as error:  # of many types
        if hasattr(error, "close"):
            error.close()  # an HTTPError is a response, too
        raise ValueError(f"download failed: {error}; name a file to train on instead") from None
    return Path("input.txt")


def main(argv: list[str] | None = None) -> None:
    """Run the command line. Exits with 1 after an error, 2 after wrong usage, 130 after Ctrl-C."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help="a file, or - for stdin")
    parser.set_defaults(**vars(Settings()))
    for name, hint in typing.get_type_hints(Settings, globals(), include_extras=True).items():
        number, text = typing.get_args(hint)
        text += " (default: %(default)s)"
        parser.add_argument(f"--{name}", type=number, metavar="N", help=text)
    parser.add_argument("--prompt", default="", metavar="TEXT", help="beginning of every sample")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = vars(parser.parse_args(argv))
    dataset, prompt = options.pop("dataset"), options.pop("prompt")
    if hasattr(sys.stdout, "reconfigure"):  # not in a notebook
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.implementation.name == "cpython":
        gc.disable()  # a graph has no cycles: reference counts are enough to free it
    try:
        settings = Settings(**options)
        docs = read_docs(default_dataset() if dataset is None else dataset)
        if cut := sum(len(doc) >= settings.block_size for doc in docs):
            advice = "use one line per document, or a larger --block_size"
            print(f"warning: {cut} of {len(docs)} documents are cut: {advice}", file=sys.stderr)
        run(docs, settings, prompt)
    except KeyboardInterrupt:
        parser.exit(130, "\n")
    except OSError as error:  # standard output cannot be written
        sys.stdout = None  # or Python would try again at exit
        closed = error.errno in (errno.EPIPE, errno.EINVAL)  # as by `| head`; EINVAL on Windows
        sys.exit(1 if closed else f"{parser.prog}: error: {error}")
    except (ValueError, ArithmeticError) as error:
        sys.exit(f"{parser.prog}: error: {error}")


if __name__ == "__main__":
    # Where this is pasted into a notebook or a prompt, sys.argv names and serves another program.
    started = Path(sys.argv[0]).stem in ("-", Path(main.__code__.co_filename).stem)  # "-": stdin
    main(None if started else [])
