"""The whole program put together from the oracles: what microgpt.py must write, and much slower.

    python tests/naive_program.py [DATASET [SETTING=NUMBER ...]]

Without a dataset it reads input.txt in the current folder, as the original does.

One difference to the original: new text is sampled from plain floats, without building a graph.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests import formulas
from tests.naive_autograd import Node

DEFAULTS = {
    "n_layer": 1, "n_embd": 16, "block_size": 16, "n_head": 4, "num_steps": 1000, "lr": 0.01,
    "temperature": 0.5, "num_samples": 20, "seed": 42,
}  # fmt: skip


def new_weights(s, vocab_size, rng):
    n = s["n_embd"]
    shapes = {"wte": (vocab_size, n), "wpe": (s["block_size"], n), "lm_head": (vocab_size, n)}
    for i in range(s["n_layer"]):
        for name in ("attn_wq", "attn_wk", "attn_wv", "attn_wo"):
            shapes[f"layer{i}.{name}"] = (n, n)
        shapes[f"layer{i}.mlp_fc1"] = (4 * n, n)
        shapes[f"layer{i}.mlp_fc2"] = (n, 4 * n)
    return {
        name: [[Node(rng.gauss(0, 0.08)) for _ in range(n_in)] for _ in range(n_out)]
        for name, (n_out, n_in) in shapes.items()
    }


def run(docs, write, **settings):
    s = {**DEFAULTS, **settings}
    rng = random.Random(s["seed"])
    docs = list(docs)
    rng.shuffle(docs)
    chars = sorted(set("".join(docs)))
    bos, vocab_size = len(chars), len(chars) + 1
    w = new_weights(s, vocab_size, rng)
    params = [p for matrix in w.values() for row in matrix for p in row]
    write(f"num docs: {len(docs)}\nvocab size: {vocab_size}\nnum params: {len(params)}\n")

    m, v, num_steps = [0.0] * len(params), [0.0] * len(params), s["num_steps"]
    for step in range(num_steps):
        tokens = [bos] + [chars.index(c) for c in docs[step % len(docs)]] + [bos]
        loss = formulas.loss(s, w, tokens)
        loss.backward()
        lr = s["lr"] * (1 - step / num_steps)
        for i, p in enumerate(params):
            m[i] = 0.85 * m[i] + (1 - 0.85) * p.grad
            v[i] = 0.99 * v[i] + (1 - 0.99) * p.grad**2
            m_hat = m[i] / (1 - 0.85 ** (step + 1))
            v_hat = v[i] / (1 - 0.99 ** (step + 1))
            p.data -= lr * m_hat / (v_hat**0.5 + 1e-8)
            p.grad = 0.0
        write(f"step {step + 1:4d} / {num_steps:4d} | loss {loss.data:.4f}\r")

    w = {name: [[p.data for p in row] for row in matrix] for name, matrix in w.items()}
    write("\n--- inference (new, hallucinated names) ---\n")
    for i in range(s["num_samples"]):
        tokens = [bos]
        while len(tokens) <= s["block_size"]:
            logits = formulas.logits(s, w, tokens)[-1]
            probs = formulas.softmax([logit / s["temperature"] for logit in logits])
            (token,) = rng.choices(range(vocab_size), weights=probs)
            if token == bos:
                break
            tokens.append(token)
        write(f"sample {i + 1:2d}: {''.join(chars[token] for token in tokens[1:])}\n")


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "input.txt"
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    numbers = dict(pair.split("=") for pair in sys.argv[2:])
    settings = {name: type(DEFAULTS[name])(number) for name, number in numbers.items()}
    sys.stdout.reconfigure(encoding="utf-8")
    run([line.strip() for line in lines if line.strip()], sys.stdout.write, **settings)
