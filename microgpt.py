"""microgpt: train a GPT and sample from it, in one file of pure Python, one scalar at a time.

Read it from top to bottom, in the order in which things happen: documents become tokens, a small
transformer predicts each token from those before it, autograd and Adam improve its predictions,
and the trained model writes new text.

    python microgpt.py                  train on the names in input.txt
    python microgpt.py my_names.txt     train on your own file, one document per line

What some names mean throughout:

    token_id    4                 a character as a number; BOS is one, too
    x           [n_embd]          a list of that many Values: what the model makes of a token
    logits      [vocab_size]      a score for each token that may come next
    state_dict  {"wte": [[...]]}  all parameters of the model: matrices of Values, by name
"""

from __future__ import annotations  # microgpt needs Python 3.9 or later

import argparse
import gc
import io
import math
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

__version__ = "4.0.0"
if sys.version_info < (3, 9):
    sys.exit("microgpt needs Python 3.9 or later")

# --- Dataset --------------------------------------------------------------------------------------
# A dataset is a text file with one document per line. Here a document is a name; it could just as
# well be a word, a place or a verse. The model will learn to write more of the same kind.


def read_docs(path: str | Path) -> list[str]:
    """The non-blank lines of a UTF-8 file ("-": standard input), stripped and normalized to NFC.

    Raises ValueError if it cannot be read, is not UTF-8, or holds no documents.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{str(path)!r}: {error.strerror}") from None
    docs = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):  # no BOM
        try:
            docs.append(unicodedata.normalize("NFC", line.decode()).strip())
        except UnicodeDecodeError:
            raise ValueError(f"{str(path)!r}: line {number} is not UTF-8") from None
    docs = [doc for doc in docs if doc]
    if not docs:
        raise ValueError(f"{str(path)!r}: the dataset holds no documents")
    return docs


# --- Tokenizer ------------------------------------------------------------------------------------
# The model computes with numbers, so each distinct character gets an integer, its token id. One
# more token, BOS (beginning of sequence), stands at both ends of a document: the model starts to
# write from it, and predicts it at the end.


class Tokenizer:
    """Characters to token ids and back.

    >>> tokenizer = Tokenizer(["anna", "bob"])
    >>> tokenizer.encode("bob"), tokenizer.decode([2, 3, 1])
    ([4, 1, 3, 1, 4], 'nob')
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
# Training needs the derivative of one number, the loss, with respect to thousands of parameters.
# So every scalar is a Value that remembers its children, the Values it was computed from, and its
# local derivative with respect to each. backward() applies the chain rule to one Value after
# another, from the loss back to the parameters.

# All computed Values, in the order in which they were made: children always precede parents.
tape: list[Value] = []


def chain_rule(node: Value) -> None:
    """A child's gradient is the sum, over its parents, of local derivative times their gradient."""
    for child, local_grad in zip(node._children, node._local_grads):
        child.grad += local_grad * node.grad


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

    __slots__ = ("data", "grad", "_children", "_local_grads", "_backprop")

    def __init__(
        self,
        data: float,
        children: Sequence[Value] = (),  # none for a leaf, such as a parameter
        local_grads: Sequence[Any] = (),  # d(self)/d(child) for each
        backprop: Callable[[Value], None] = chain_rule,  # passes the gradient on to the children
    ) -> None:
        self.data = data
        self.grad = 0.0
        self._children = children
        self._local_grads = local_grads
        self._backprop = backprop
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

    # fmt: off
    def __pow__(self, n: float) -> Value: return Value(self.data**n, (self,), (n * self.data ** (n - 1),))
    def exp(self) -> Value: return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def log(self) -> Value: return Value(math.log(self.data), (self,), (1 / self.data,))
    def relu(self) -> Value: return Value(max(0.0, self.data), (self,), (float(self.data > 0),))
    __radd__, __rmul__ = __add__, __mul__
    def __neg__(self) -> Value: return self * -1
    def __sub__(self, other: Value | float) -> Value: return self + -other
    def __rsub__(self, other: float) -> Value: return -self + other
    def __truediv__(self, other: Value | float) -> Value: return self * other**-1.0
    def __rtruediv__(self, other: float) -> Value: return self**-1 * other
    def __repr__(self) -> str: return f"Value(data={self.data}, grad={self.grad})"
    # fmt: on

    def backward(self) -> None:
        """Set `v.grad` to d(self)/d(v) for every Value v on the tape.

        The grad of a leaf, a Value that was not computed, accumulates over calls until you reset
        it. Raises RuntimeError if self has left the tape.
        """
        if self._children and self not in reversed(tape):
            raise RuntimeError("backward() of a Value that is no longer on the tape")
        for node in tape:
            node.grad = 0.0
        self.grad += 1.0
        for node in reversed(tape):
            node._backprop(node)


# One Value for a whole sum of products, not two per term, makes this fast. The sum is a loop, as
# sum() rounds differently from Python 3.12 on.


def dot(xs: Sequence[Value], ys: Sequence[Value]) -> Value:
    """The dot product of xs [n] and ys [n], which must not be changed before backward()."""
    total = 0.0
    for x, y in zip(xs, ys):
        total += x.data * y.data
    return Value(total, xs, ys, dot_backprop)


def dot_backprop(node: Value) -> None:
    grad = node.grad
    if not grad:
        return  # half of the work is with gradients of 0
    for x, y in zip(node._children, node._local_grads):
        x.grad += y.data * grad  # d(x * y)/dx = y
        y.grad += x.data * grad


# --- Settings -------------------------------------------------------------------------------------
# What can be changed about a run. The options of the command line are made from this list.


def setting(default: float, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Raises ValueError, naming the setting, if one is out of range."""

    n_layer: int = setting(1, "transformer layers")
    n_embd: int = setting(16, "embedding dimension, a multiple of n_head")
    block_size: int = setting(16, "maximum context length, in tokens")
    n_head: int = setting(4, "attention heads")
    num_steps: int = setting(1000, "training steps, one document each")
    lr: float = setting(0.01, "initial learning rate")
    temperature: float = setting(0.5, "sampling temperature: high is wild")
    num_samples: int = setting(20, "documents to sample after training")
    seed: int = setting(42, "seed of the random number generator")

    def __post_init__(self) -> None:
        for name in ("n_embd", "block_size", "n_head"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("n_layer", "num_steps", "num_samples"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0")
        for name in ("lr", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be greater than 0 and finite")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")


# --- Parameters -----------------------------------------------------------------------------------
# Everything the model knows is in its parameters: matrices of Values, random at first, each with a
# name in the state dict. Training changes nothing else.

Matrix = list[list[Value]]  # [n_out][n_in]: a row for each output
StateDict = dict[str, Matrix]


def parameter_shapes(settings: Settings, vocab_size: int) -> dict[str, tuple[int, int]]:
    """(n_out, n_in) of each matrix of the state dict."""
    n_embd = settings.n_embd
    shapes = {
        "wte": (vocab_size, n_embd),  # token embeddings
        "wpe": (settings.block_size, n_embd),  # position embeddings
        "lm_head": (vocab_size, n_embd),  # from the last layer to the logits
    }
    for i in range(settings.n_layer):
        for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo"):
            shapes[f"layer{i}.{name}"] = (n_embd, n_embd)
        shapes[f"layer{i}.mlp_fc1"] = (4 * n_embd, n_embd)
        shapes[f"layer{i}.mlp_fc2"] = (n_embd, 4 * n_embd)
    return shapes


def init_state_dict(settings: Settings, vocab_size: int, rng: Random) -> StateDict:
    """The parameters of an untrained model, drawn from a normal distribution around 0."""
    return {
        name: [[Value(rng.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]
        for name, (n_out, n_in) in parameter_shapes(settings, vocab_size).items()
    }


# --- Model ----------------------------------------------------------------------------------------
# GPT-2 (Radford et al. 2019) with RMSNorm for LayerNorm, ReLU for GeLU, no biases and no final
# norm. gpt() reads a token and predicts the next. The token becomes a vector, the residual stream,
# to which every layer adds twice: attention adds what it gathers from the tokens so far, then an
# MLP what it makes of that.


def add(x: list[Value], y: list[Value]) -> list[Value]:
    return [x_i + y_i for x_i, y_i in zip(x, y)]


def linear(x: list[Value], matrix: Matrix) -> list[Value]:
    """The matrix [n_out][n_in] times x [n_in]: the dot product of x with each row."""
    return [dot(x, row) for row in matrix]


def relu_linear(x: list[Value], matrix: Matrix) -> list[Value]:
    """linear(relu(x), matrix), at half the work: what ReLU sets to 0 is left out of the sums."""
    on = [i for i, x_i in enumerate(x) if x_i.data > 0]
    active = [x[i] for i in on]
    return [dot(active, [row[i] for i in on]) for row in matrix]


def rmsnorm(x: list[Value]) -> list[Value]:
    """Scale x [n] to a root mean square of 1 (Zhang & Sennrich 2019), without a learned gain."""
    scale = (dot(x, x) / len(x) + 1e-5) ** -0.5
    return [x_i * scale for x_i in x]


def softmax(logits: list[Value], temperature: float = 1.0) -> list[Value]:
    """Scores [n] to probabilities [n], in proportion to exp(score / temperature).

    Raises FloatingPointError if a score is not finite.
    """
    scale = temperature**-1
    scaled = [logit.data * scale for logit in logits]
    largest = max(scaled)  # subtracted so that nothing can overflow; the proportions stay
    exps = [math.exp(s - largest) for s in scaled]
    total = 0.0
    for e in exps:
        total += e
    if math.isnan(total):
        raise FloatingPointError("softmax of scores that are not finite")
    inverse = total**-1

    def backprop(node: Value) -> None:
        # probability = e / total. The total has a part in each, added up from the last to the
        # first, as in the original.
        d_inverse = -(total**-2)
        d_total = 0.0
        for e, prob in zip(reversed(exps), reversed(probs)):
            d_total += d_inverse * (e * prob.grad)
        for e, prob, logit in zip(exps, probs, logits):
            logit.grad += scale * (e * (inverse * prob.grad + d_total))

    # This node comes before the probabilities on the tape, so that it has its turn when their
    # gradients are complete. It acts for all of them: they have no local derivatives.
    Value(total, logits, (), backprop)
    probs = [Value(e * inverse, logits) for e in exps]
    return probs


KVCache = dict[tuple[str, int], tuple[list[list[Value]], list[list[Value]]]]


def attention(
    x: list[Value], state_dict: StateDict, layer: str, n_head: int, cache: KVCache
) -> list[Value]:
    """What a position gathers from all positions so far: x [n_embd] to [n_embd].

    Each head compares the position's query with the keys of all, and takes the mean of their
    values, weighted by the match (Vaswani et al. 2017).
    """
    head_dim = len(x) // n_head
    outputs = []
    for h in range(n_head):
        # Each head has some rows of the matrices, and is done with them before the next begins:
        # gradients are then added up in the original's order.
        rows = slice(h * head_dim, (h + 1) * head_dim)
        query = linear(x, state_dict[f"{layer}.attn_wq"][rows])
        keys, values = cache.setdefault((layer, h), ([], []))
        keys.append(linear(x, state_dict[f"{layer}.attn_wk"][rows]))
        values.append(linear(x, state_dict[f"{layer}.attn_wv"][rows]))
        weights = softmax([dot(query, key) for key in keys], temperature=head_dim**0.5)
        outputs += [dot(weights, column) for column in zip(*values)]
    return linear(outputs, state_dict[f"{layer}.attn_wo"])


def mlp(x: list[Value], state_dict: StateDict, layer: str) -> list[Value]:
    """Each position by itself: x [n_embd] to 4 * n_embd hidden units and back."""
    hidden = linear(x, state_dict[f"{layer}.mlp_fc1"])
    return relu_linear(hidden, state_dict[f"{layer}.mlp_fc2"])


def gpt(
    state_dict: StateDict, token_ids: Iterable[int], settings: Settings
) -> Iterator[list[Value]]:
    """Read one token after another; yield after each the logits [vocab_size] of the next one.

    Their softmax is its probabilities. It ends after block_size tokens, as it knows no more
    positions.
    """
    cache: KVCache = {}
    for token_id, position in zip(token_ids, state_dict["wpe"]):
        # The residual stream starts at unit scale. The first layer normalizes again, but only what
        # goes into attention: the stream itself bypasses that.
        x = rmsnorm(add(state_dict["wte"][token_id], position))
        for i in range(settings.n_layer):
            layer = f"layer{i}"
            x = add(x, attention(rmsnorm(x), state_dict, layer, settings.n_head, cache))
            x = add(x, mlp(rmsnorm(x), state_dict, layer))
        yield linear(x, state_dict["lm_head"])


# --- Training -------------------------------------------------------------------------------------
# A step trains on one document. Forward: predict each of its tokens from those before; the loss
# says how surprised the model was, on average. Backward: find the gradient of the loss. Then Adam
# moves every parameter a little in the direction that lowers it.


def document_loss(state_dict: StateDict, token_ids: list[int], settings: Settings) -> Value:
    """The mean cross-entropy, in nats, of each token but the first, up to block_size of them."""
    losses = []
    for target_id, logits in zip(token_ids[1:], gpt(state_dict, token_ids, settings)):
        # The target's logit comes first on the tape, so that gradients are added up in the
        # original's order.
        first = len(tape) - len(logits)
        tape.insert(first, tape.pop(first + target_id))
        losses.append(-softmax(logits)[target_id].log())
    return sum(losses, Value(0.0)) * (1 / len(losses))


def train(
    state_dict: StateDict, tokenizer: Tokenizer, docs: list[str], settings: Settings
) -> Iterator[float]:
    """Train for num_steps steps, one document each; yield each loss. Clears the tape."""
    params = [p for matrix in state_dict.values() for row in matrix for p in row]
    for p in params:
        p.grad = 0.0
    # Adam (Kingma & Ba 2015) keeps two running means for each parameter: of its gradient (m), which
    # gives the direction, and of the square of its gradient (v), which gives the scale.
    m, v = [0.0] * len(params), [0.0] * len(params)
    beta1, beta2, eps = 0.85, 0.99, 1e-8
    rest1, rest2 = 1 - beta1, 1 - beta2
    for step in range(settings.num_steps):
        doc = docs[step % len(docs)]
        token_ids = tokenizer.encode(doc[: settings.block_size])
        loss = document_loss(state_dict, token_ids, settings)  # forward
        loss.backward()

        lr = settings.lr * (1 - step / settings.num_steps)  # falls linearly to 0
        bias1 = 1 - beta1 ** (step + 1)  # m and v start at 0, which biases them
        bias2 = 1 - beta2 ** (step + 1)
        for i, p in enumerate(params):
            m[i] = beta1 * m[i] + rest1 * p.grad
            v[i] = beta2 * v[i] + rest2 * p.grad**2
            p.data -= lr * (m[i] / bias1) / ((v[i] / bias2) ** 0.5 + eps)
            p.grad = 0.0
        loss_data = loss.data
        del loss  # so that the graph is freed here, before the next one is built
        tape.clear()
        yield loss_data


# --- Inference ------------------------------------------------------------------------------------
# The model writes a document token by token: it starts from BOS, and every token that is drawn
# becomes the next input. When BOS is drawn, the document is over.


def prompt_ids(prompt: str, tokenizer: Tokenizer, settings: Settings) -> list[int]:
    """BOS and the ids of the prompt. Raises ValueError if it cannot begin a document."""
    if len(prompt) >= settings.block_size:
        raise ValueError(f"the prompt must be shorter than block_size ({settings.block_size})")
    return tokenizer.encode(prompt)[:-1]


def sample(
    state_dict: StateDict, tokenizer: Tokenizer, settings: Settings, rng: Random, prompt: str = ""
) -> str:
    """A new document of at most block_size characters that begins with the prompt.

    Raises ValueError if the prompt has an unknown character or is not shorter than that.
    """
    start = len(tape)
    token_ids = prompt_ids(prompt, tokenizer, settings)
    for pos_id, logits in enumerate(gpt(state_dict, token_ids, settings)):
        if pos_id + 1 == len(token_ids):  # the prompt is read: draw the next token
            probs = [prob.data for prob in softmax(logits, settings.temperature)]
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
    if isinstance(docs, str):
        raise ValueError("docs must be a list of texts, not one text")
    docs = list(docs)
    if not docs:
        raise ValueError("docs must hold at least one document")
    rng = Random(settings.seed)
    rng.shuffle(docs)
    tokenizer = Tokenizer(docs)
    prompt_ids(prompt, tokenizer, settings)  # refused now rather than after training
    shapes = parameter_shapes(settings, tokenizer.vocab_size)
    print(f"num docs: {len(docs)}")
    print(f"vocab size: {tokenizer.vocab_size}")
    print(f"num params: {sum(n_out * n_in for n_out, n_in in shapes.values())}", flush=True)
    state_dict = init_state_dict(settings, tokenizer.vocab_size, rng)
    for step, loss in enumerate(train(state_dict, tokenizer, docs, settings), 1):
        print(f"step {step:4} / {settings.num_steps:4} | loss {loss:.4f}", end="\r", flush=True)
    print("\n--- inference (new, hallucinated names) ---", flush=True)
    for i in range(1, settings.num_samples + 1):
        print(f"sample {i:2}: {sample(state_dict, tokenizer, settings, rng, prompt)}", flush=True)
    return state_dict


# --- Command line ---------------------------------------------------------------------------------
# The rest is not about GPTs: the default dataset, options and errors.

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"


def default_dataset() -> Path:
    """input.txt in the current folder, else beside this file, else downloaded, verified, whole."""
    here = Path("input.txt")
    for path in (here, Path(sys.argv[0]).resolve().with_name("input.txt")):
        if path.exists():
            return path
    import hashlib  # seldom needed, and larger than everything else here
    import tempfile
    import urllib.request

    print(f"there is no {here}: downloading {NAMES_URL}", file=sys.stderr)
    try:
        with urllib.request.urlopen(NAMES_URL, timeout=20) as response:
            data = response.read(1_000_000)
        if hashlib.sha256(data).hexdigest() != NAMES_SHA256:
            raise ValueError("checksum mismatch")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            Path(folder, "input.txt").write_bytes(data)
            Path(folder, "input.txt").replace(here)
    except Exception as error:  # of many types: a malformed proxy alone raises three
        raise ValueError(f"download failed: {error}; name a file to train on instead") from None
    return here


def main(argv: list[str] | None = None) -> None:
    """Run the command line. Exits with 1 after an error, 2 after wrong usage, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description="Train a GPT and sample it.", allow_abbrev=False)
    text = "UTF-8 text with one document per line, - for standard input (default: input.txt)"
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help=text)
    for f in fields(Settings):
        text = f"{f.metadata['help']} (default: %(default)s)"
        option = f"--{f.name}"
        parser.add_argument(option, type=type(f.default), default=f.default, metavar="N", help=text)
    parser.add_argument("--prompt", default="", metavar="TEXT", help="beginning of every sample")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = vars(parser.parse_args(argv))
    dataset, prompt = options.pop("dataset"), options.pop("prompt")
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.implementation.name == "cpython":
        gc.disable()  # a graph has no cycles: reference counts are enough to free it
    try:
        settings = Settings(**options)
        docs = read_docs(default_dataset() if dataset is None else dataset)
        cut = sum(len(doc) >= settings.block_size for doc in docs)
        if cut:
            text = f"warning: {cut} of {len(docs)} documents are cut to {settings.block_size} tokens"
            print(text, file=sys.stderr)
        run(docs, settings, unicodedata.normalize("NFC", prompt))
    except KeyboardInterrupt:
        parser.exit(130, "\n")
    except OSError as error:  # standard output cannot be written
        sys.stdout = None  # or Python would try again at exit
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"{parser.prog}: error: {error}")
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"{parser.prog}: error: {error}")


if __name__ == "__main__":
    main([] if "get_ipython" in globals() else None)
