"""How fast is it? Measures microgpt.py, alone and against the naive program; nothing to install.

    python tests/benchmark.py           everything, about ten minutes
    python tests/benchmark.py --quick   the same with fewer steps and rounds, about a minute

The comparison runs whole programs in fresh processes, in turn, and takes medians: times drift on
a busy machine, ratios much less. It exits with 1 if the two programs' outputs differ.
"""

import argparse
import gc
import json
import os
import platform
import random
import string
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

try:
    import resource
except ImportError:  # Windows: there is no peak memory to read
    resource = None

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import microgpt  # noqa: E402


def run(script, *args):
    """Standard output, wall time and CPU time of a script in a process of its own."""
    cpu, wall = os.times(), time.perf_counter()
    command = [sys.executable, str(ROOT / script), *map(str, args)]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    wall, after = time.perf_counter() - wall, os.times()
    used = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    return out, wall, used


def peak_mib():
    if resource is None:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def multiply_adds(settings, vocab_size, length):
    """The multiply-adds of a forward pass over `length` tokens."""
    width = settings.n_embd
    matrices, attention = 12 * width * width * length, width * length * (length + 1)
    return settings.n_layer * (matrices + attention) + vocab_size * width * length


def measure(docs, steps, **settings):
    """Train, and return what a step took and what it was made of (medians), as numbers."""
    settings = microgpt.Settings(**settings)
    rng = random.Random(settings.seed)
    rng.shuffle(docs)
    tokenizer = microgpt.Tokenizer([*docs, string.ascii_lowercase])
    state_dict = microgpt.init_state_dict(settings, tokenizer.vocab_size, rng)
    adam = microgpt.Adam([p for matrix in state_dict.values() for row in matrix for p in row])
    if platform.python_implementation() == "CPython":
        gc.disable()  # as main() does
    times, nodes, work = [], [], []
    for step in range(steps):
        ids = tokenizer.encode(docs[step % len(docs)])
        start = time.perf_counter()
        loss = microgpt.document_loss(state_dict, ids, settings)
        forward = time.perf_counter()
        nodes.append(len(microgpt.tape))
        ready = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        adam.step(settings.lr)
        times.append((forward - start, backward - ready, time.perf_counter() - backward))
        for p in adam.params:
            p.grad = 0.0
        microgpt.tape.clear()
        length = min(settings.block_size, len(ids) - 1)
        work.append(multiply_adds(settings, tokenizer.vocab_size, length))
    parts = [median(part) * 1e3 for part in zip(*times)]
    return {
        "forward": parts[0], "backward": parts[1], "adam": parts[2],
        "fastest": min(map(sum, times)) * 1e3, "nodes": median(nodes),
        "multiply_adds": median(work), "params": len(adam.params), "peak": peak_mib(),
    }  # fmt: skip


def measure_apart(docs, steps, **settings):
    """measure(), in a fresh process, so that its peak memory is its own."""
    request = json.dumps([docs, steps, settings])
    command = [sys.executable, __file__, "--measure"]
    out = subprocess.run(command, input=request.encode(), stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def compare(path, steps, rounds):
    """The program against the naive one; whether they wrote the same."""
    print(f"\nWhole program, {path.name}, {steps} steps and 20 samples, {rounds} rounds in turn")
    ours, naive, ratios = [], [], []
    for _ in range(rounds):
        out, wall, cpu = run("microgpt.py", path, "--num_steps", steps)
        naive_out, naive_wall, _ = run("tests/naive_program.py", path, f"num_steps={steps}")
        ours.append((wall, cpu))
        naive.append(naive_wall)
        ratios.append(naive_wall / wall)
    for name, times in (("microgpt.py", [wall for wall, _ in ours]), ("naive_program.py", naive)):
        spread = f"({min(times):.2f} to {max(times):.2f})"
        print(f"  {name:<17} wall {median(times):8.2f} s   {spread}")
    print(f"  ratio {median(ratios):25.1f}     ({min(ratios):.1f} to {max(ratios):.1f})")
    print(f"  CPU time of microgpt.py {median(cpu for _, cpu in ours):7.2f} s")
    print(f"  outputs {'identical' if out == naive_out else 'DIFFER'}")
    return out == naive_out


def one_step(docs, steps):
    numbers = measure_apart(docs, steps)
    print(f"\nOne step with the default settings, medians of {steps}")
    print("  forward {forward:.2f} ms, backward {backward:.2f} ms, Adam {adam:.2f} ms; "
          "{nodes:.0f} nodes, {multiply_adds:.0f} multiply-adds; "
          "peak memory {peak:.0f} MiB".format(**numbers))  # fmt: skip


def growth(budget):
    """What larger models and longer documents cost, in all and for each multiply-add."""
    print("\nGrowth, with documents as long as the block: the fastest step, and its time for each")
    print("multiply-add forward (two more go backward); peak memory above that of one step")
    print(
        "                    multiply-adds      nodes   ms/step   ns/multiply-add   peak MiB"
        "   bytes/multiply-add"
    )
    rng = random.Random(0)
    rows = [{}] + [{"n_embd": n} for n in (32, 64)] + [{"n_layer": n} for n in (2, 4, 8)]
    rows += [{"block_size": n} for n in (64, 256)]
    results = [[] for _ in rows]
    for _ in range(2):  # twice through the table: what disturbs one round may spare the other
        for settings, result in zip(rows, results):
            checked = microgpt.Settings(**settings)
            length = checked.block_size
            docs = ["".join(rng.choices(string.ascii_lowercase, k=length - 1)) for _ in range(5)]
            steps = max(3, int(budget / multiply_adds(checked, 27, length)))
            result.append(measure_apart(docs, steps, **settings))
    start = measure_apart(["a"], 1)["peak"]
    for settings, result in zip(rows, results):
        numbers = {name: min(r[name] for r in result) for name in result[0]}
        numbers["each"] = numbers["fastest"] * 1e6 / numbers["multiply_adds"]
        numbers["bytes"] = (numbers["peak"] - start) * 2**20 / numbers["multiply_adds"]
        row = ", ".join(f"{name} = {value}" for name, value in settings.items()) or "defaults"
        print(f"  {row:<16}  " + "{multiply_adds:14.0f} {nodes:10.0f} {fastest:9.1f} "
              "{each:17.0f} {peak:10.0f} {bytes:20.0f}".format(**numbers))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset", nargs="?", type=Path, default=ROOT / "input.txt")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--steps", type=int, help="training steps of the comparison")
    parser.add_argument("--rounds", type=int, help="rounds of the comparison")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        docs, steps, settings = json.load(sys.stdin)
        print(json.dumps(measure(docs, steps, **settings)))
        return 0
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
          f"{platform.machine()}, {os.cpu_count()} cores")  # fmt: skip
    docs = microgpt.read_docs(args.dataset)
    one_step(docs[:5000], 100 if args.quick else 500)
    growth(5e5 if args.quick else 8e6)
    same = compare(args.dataset, args.steps or (40 if args.quick else 400),
                   args.rounds or (3 if args.quick else 5))  # fmt: skip
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
