"""How fast is it? Measures microgpt.py by itself and against any script that prints the same lines.

    python tests/benchmark.py                        a step, its growth, and the naive program
    python tests/benchmark.py --against SCRIPT.py    against the original, a fork, an older version
    python tests/benchmark.py --floor                what the interpreter alone takes

Two scripts run in turn in fresh processes, each in a folder with the dataset as input.txt, and are
stopped after --steps training steps, which their status lines tell. Times drift on a busy machine,
ratios much less: the medians of some rounds are given, with their range. The exit code is 1 if the
outputs differ as far as both go, or if a script fails.
"""

import argparse
import gc
import json
import os
import platform
import random
import re
import shutil
import string
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from pathlib import Path
from statistics import median

try:
    import resource
except ImportError:  # Windows: there is no peak memory to read
    resource = None

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import microgpt  # noqa: E402


class ScriptError(Exception):
    """A script did not do what can be compared."""


def run(script, dataset, steps, patience):
    """The output of a script up to that many steps, or to its end; and the seconds for each step.

    Raises ScriptError if it crashes, prints no steps, or prints nothing for `patience` seconds.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        shutil.copy(dataset, Path(folder, "input.txt"))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        out, times = b"", []
        try:
            while len(times) <= steps:
                watchdog = threading.Timer(patience, process.kill)
                watchdog.start()
                part = process.stdout.read1(1 << 16)
                silent = not watchdog.is_alive()
                watchdog.cancel()
                if silent:
                    raise ScriptError(f"{script}: printed nothing for {patience:g} seconds")
                if not part:
                    break
                out += part
                seen = out.count(b"\r") - out.count(b"\r\n")
                times += [time.perf_counter()] * (seen - len(times))
            if len(times) <= steps and process.wait():
                errors.seek(0)
                last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
                raise ScriptError(f"{script}: exit status {process.returncode} {' '.join(last)}")
        finally:
            process.kill()
            process.communicate()
    if len(times) < 2:
        raise ScriptError(f"{script}: its output has no status lines, ended by a carriage return")
    return out, (times[-1] - times[0]) / (len(times) - 1)


def first_difference(ours, theirs):
    """The first lines that are not the same, as far as both outputs go, or None."""
    length = min(len(ours), len(theirs))
    lines = (re.split(rb"\r?\n|\r", out[:length]) for out in (ours, theirs))
    return next(((a, b) for a, b in zip(*lines) if a != b), None)


def compare(script, dataset, steps, rounds, patience):
    """Both programs in turn; whether they wrote the same."""
    print(f"\nTraining on {dataset.name}, {steps} steps, {rounds} rounds in turn: ms a step")
    seconds, ratios, difference = {"microgpt.py": [], script.name + " (other)": []}, [], None
    for _ in range(rounds):
        ours, each = run(ROOT / "microgpt.py", dataset, steps, patience)
        theirs, their_each = run(script.resolve(), dataset, steps, patience)
        for times, taken in zip(seconds.values(), (each, their_each)):
            times.append(taken * 1e3)
        ratios.append(their_each / each)
        difference = difference or first_difference(ours, theirs)
    for name, times in (*seconds.items(), ("ratio", ratios)):
        print(f"  {name:<28}{median(times):9.2f}   ({min(times):.2f} to {max(times):.2f})")
    if difference:
        print(
            "outputs differ:", *(line.decode(errors="replace") for line in difference), sep="\n  "
        )
    else:
        print(f"  outputs identical in their first {min(len(ours), len(theirs))} bytes")
    return not difference


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
    for step in range(steps):  # what train_step() does, with a look at the clock in between
        tokens = tokenizer.encode(docs[step % len(docs)])
        clock = [time.perf_counter()]
        for p in adam.params:
            p.grad = 0.0
        loss = microgpt.document_loss(state_dict, tokens, settings)
        clock.append(time.perf_counter())
        loss.backward()
        clock.append(time.perf_counter())
        adam.step(settings.lr)
        clock.append(time.perf_counter())
        times.append([after - before for before, after in zip(clock, clock[1:])])
        nodes.append(len(microgpt.tape))
        microgpt.tape.clear()
        del loss  # or its graph would live on beside the next one
        length = min(settings.block_size, len(tokens) - 1)
        work.append(multiply_adds(settings, tokenizer.vocab_size, length))
    parts = [median(part) * 1e3 for part in zip(*times)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else float("nan")
    return {
        **dict(zip(("forward", "backward", "adam"), parts)),
        "fastest": min(map(sum, times)) * 1e3,
        "nodes": median(nodes),
        "multiply_adds": median(work),
        "peak": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }


def measure_apart(docs, steps, **settings):
    """measure(), in a fresh process, so that its peak memory is its own."""
    request = json.dumps([docs, steps, settings])
    command = [sys.executable, __file__, "--measure"]
    return json.loads(subprocess.check_output(command, input=request.encode()))


def one_step(docs, steps):
    numbers = measure_apart(docs, steps)
    print(f"\nOne step with the default settings, medians of {steps}")
    print(
        "  forward {forward:.2f} ms, backward {backward:.2f} ms, Adam {adam:.2f} ms; {nodes:.0f} "
        "nodes, {multiply_adds:.0f} multiply-adds; peak memory {peak:.0f} MiB".format(**numbers)
    )


def growth(budget):
    print("\nGrowth, with documents as long as the block: the fastest step, its time for each")
    print("multiply-add forward (two more go backward), and the peak memory")
    print("                    multiply-adds      nodes   ms/step   ns/multiply-add   peak MiB")
    rng = random.Random(0)
    for settings in (
        {},
        *({"n_embd": n} for n in (32, 64)),
        *({"n_layer": n} for n in (2, 4, 8)),
        *({"block_size": n} for n in (64, 256)),
    ):
        checked = microgpt.Settings(**settings)
        length = checked.block_size
        docs = ["".join(rng.choices(string.ascii_lowercase, k=length)) for _ in range(20)]
        steps = max(3, int(budget / multiply_adds(checked, 27, length)))
        numbers = measure_apart(docs, steps, **settings)
        numbers["each"] = numbers["fastest"] * 1e6 / numbers["multiply_adds"]
        row = ", ".join(f"{name} = {value}" for name, value in settings.items()) or "defaults"
        cells = "{multiply_adds:14.0f} {nodes:10.0f} {fastest:9.1f} {each:17.0f} {peak:10.0f}"
        print(f"  {row:<16}  {cells.format(**numbers)}")


def floor(docs):
    """The time of a bare loop of multiply-adds, and of as many as a step has."""
    setup = "x = [i / 3 for i in range(1000)]; y = x[::-1]"
    loop = "s = 0.0\nfor a, b in zip(x, y): s += a * b"
    each = min(timeit.repeat(loop, setup, number=200, repeat=9)) / 200 / 1000
    settings = microgpt.Settings()
    lengths = (min(settings.block_size, len(doc) + 1) for doc in docs)
    total = 3 * median(multiply_adds(settings, 27, length) for length in lengths)
    print(f"a multiply-add in a bare loop: {each * 1e9:.0f} ns")
    print(f"a step has {total:.0f}, forward and backward: {total * each * 1e3:.2f} ms at the least")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    naive = ROOT / "tests" / "naive_program.py"
    parser.add_argument("dataset", nargs="?", type=Path, default=ROOT / "input.txt")
    parser.add_argument("--against", type=Path, metavar="SCRIPT", help="only compare, with this")
    parser.add_argument("--steps", type=int, help="steps after which both scripts are stopped")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison")
    parser.add_argument("--patience", type=float, default=120.0, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a minute instead of five")
    parser.add_argument("--floor", action="store_true", help="only measure the interpreter")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        docs, steps, settings = json.load(sys.stdin)
        print(json.dumps(measure(docs, steps, **settings)))
        return 0
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
    docs = microgpt.read_docs(args.dataset)
    if args.floor:
        floor(docs)
        return 0
    if not args.against:
        one_step(docs[:5000], 100 if args.quick else 500)
        growth(5e5 if args.quick else 8e6)
    steps = args.steps or (20 if args.quick else 100)
    try:
        same = compare(args.against or naive, args.dataset, steps, args.rounds, args.patience)
    except ScriptError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
