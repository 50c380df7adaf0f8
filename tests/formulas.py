"""The model as formulas: the logits and the loss of a whole sequence, straight from the definition.

An oracle for the model in microgpt.py, with which it shares no code. It has no KV cache: all
positions are computed side by side. The weights are plain floats or, for the loss, the nodes of
naive_autograd. `s` is a dict of the settings, `w` one of matrices.
"""

import math


def exp(x):
    return math.exp(x) if isinstance(x, float) else x.exp()


def relu(x):
    return max(x, 0.0) if isinstance(x, float) else x.relu()


def number(x):
    return x if isinstance(x, float) else x.data


def inner(x, y):
    return sum(a * b for a, b in zip(x, y))


def product(matrix, x):
    return [inner(row, x) for row in matrix]


def plus(x, y):
    return [a + b for a, b in zip(x, y)]


def softmax(x):
    top = max(number(x_i) for x_i in x)
    exps = [exp(x_i - top) for x_i in x]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x):
    factor = (inner(x, x) / len(x) + 1e-5) ** -0.5
    return [x_i * factor for x_i in x]


def attention(s, q, k, v):
    """What each position finds: q, k, v are [position][n_embd], and so is the result."""
    size = s["n_embd"] // s["n_head"]
    found = []
    for t in range(len(q)):
        row = []
        for h in range(s["n_head"]):
            head = slice(h * size, (h + 1) * size)
            weights = softmax([inner(q[t][head], k[u][head]) / size**0.5 for u in range(t + 1)])
            row += [inner(weights, column) for column in zip(*(v[u][head] for u in range(t + 1)))]
        found.append(row)
    return found


def logits(s, w, tokens):
    """For each of the tokens, [vocab_size] logits for what comes after it."""
    xs = [rmsnorm(plus(w["wte"][token], w["wpe"][t])) for t, token in enumerate(tokens)]
    for i in range(s["n_layer"]):
        layer = {name: w[f"layer{i}.{name}"] for name in
                 ("attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2")}  # fmt: skip
        normed = [rmsnorm(x) for x in xs]
        q, k, v = (
            [product(layer[name], x) for x in normed] for name in ("attn_wq", "attn_wk", "attn_wv")
        )
        found = attention(s, q, k, v)
        xs = [plus(product(layer["attn_wo"], f), x) for f, x in zip(found, xs)]
        hidden = [[relu(h) for h in product(layer["mlp_fc1"], rmsnorm(x))] for x in xs]
        xs = [plus(product(layer["mlp_fc2"], h), x) for h, x in zip(hidden, xs)]
    return [product(w["lm_head"], x) for x in xs]


def loss(s, w, tokens):
    """The mean of -log softmax(logits)[next token] over up to block_size positions."""
    n = min(s["block_size"], len(tokens) - 1)
    probs = [softmax(row) for row in logits(s, w, tokens[:n])]
    return sum(-p[target].log() for p, target in zip(probs, tokens[1:])) / n
