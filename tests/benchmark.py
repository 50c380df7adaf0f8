"""How fast is it? Measures microgpt.py by itself and against any script that prints the same lines.

    python tests/benchmark.py                        against the naive program, and a step's parts
    python tests/benchmark.py --against SCRIPT.py    against the original, a fork, an older version

Two scripts take turns in fresh processes, each in a folder with the dataset as input.txt, and are
stopped after --steps training steps, which their status lines tell. Times drift on a busy machine,
ratios much less: the medians of some rounds are given, with their range. The exit code is 1 if the
outputs differ as far as both go, or if a script fails.
"""

import argparse
import gc
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import microgpt  # noqa: E402


def run(script, dataset, steps, patience):
    """The output of a script up to that many steps, or to its end; and the seconds for each step.

    Raises ValueError if it crashes, prints no steps, or prints nothing for `patience` seconds.
    """
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        shutil.copy(dataset, Path(folder, "input.txt"))
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": errors}
        process = subprocess.Popen([sys.executable, script], cwd=folder, env=env, **streams)
        out, times, part = b"", [], b"start"
        while part and len(times) <= steps:
            watchdog = threading.Timer(patience, process.kill)
            watchdog.start()
            part = process.stdout.read1(1 << 16)
            silent = not watchdog.is_alive()
            watchdog.cancel()
            out += part
            seen = out.count(b"\r") - out.count(b"\r\n")
            times += [time.perf_counter()] * (seen - len(times))
        failed = not part and process.wait()
        process.kill()
        process.communicate()
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
    if silent:
        raise ValueError(f"{script}: printed nothing for {patience:g} seconds")
    if failed:
        raise ValueError(f"{script}: exit status {failed} {' '.join(last)}")
    if len(times) < 2:
        raise ValueError(f"{script}: its output has no status lines, ended by a carriage return")
    return out, (times[-1] - times[0]) / (len(times) - 1)


def compare(script, dataset, steps, rounds, patience):
    """Run both programs alternately, print medians, and say whether they wrote the same."""
    print(f"\nTraining on {dataset.name}, {steps} steps, {rounds} rounds, alternating: ms per step")
    taken, difference = [], None
    for _ in range(rounds):
        ours, our_seconds = run(ROOT / "microgpt.py", dataset, steps, patience)
        theirs, their_seconds = run(script.resolve(), dataset, steps, patience)
        taken.append((our_seconds * 1e3, their_seconds * 1e3, their_seconds / our_seconds))
        length = min(len(ours), len(theirs))
        lines = (re.split(rb"\r?\n|\r", out[:length]) for out in (ours, theirs))
        difference = difference or next(((a, b) for a, b in zip(*lines) if a != b), None)
    for name, numbers in zip(("microgpt.py", f"{script.name} (other)", "ratio"), zip(*taken)):
        print(f"  {name:<28}{median(numbers):9.2f}   ({min(numbers):.2f} to {max(numbers):.2f})")
    if difference:
        print(
            "outputs differ:", *(line.decode(errors="replace") for line in difference), sep="\n  "
        )
    else:
        print(f"  outputs identical in their first {length} bytes")
    return not difference


def parts(docs, steps, **settings):
    """Medians of a training step, in ms: forward, backward, and the rest; and the nodes."""
    settings = microgpt.Settings(num_steps=steps, **settings)
    tokenizer = microgpt.Tokenizer(docs)
    state_dict = microgpt.init_state_dict(settings, tokenizer.vocab_size, Random(42))
    taken = {"forward": [], "backward": [], "Adam and freeing": [], "nodes": []}

    def timed(name, function):
        def wrapper(*args):
            start = time.perf_counter()
            result = function(*args)
            taken[name].append((time.perf_counter() - start) * 1e3)
            taken["nodes"].append(len(microgpt.tape))
            return result

        return wrapper

    unchanged = microgpt.document_loss, microgpt.Value.backward
    microgpt.document_loss = timed("forward", microgpt.document_loss)
    microgpt.Value.backward = timed("backward", microgpt.Value.backward)
    training = microgpt.train(state_dict, tokenizer, docs, settings)
    for i in range(steps):
        start = time.perf_counter()
        next(training)
        whole = (time.perf_counter() - start) * 1e3
        taken["Adam and freeing"].append(whole - taken["forward"][i] - taken["backward"][i])
    microgpt.document_loss, microgpt.Value.backward = unchanged
    return {name: median(numbers) for name, numbers in taken.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    naive = ROOT / "tests" / "naive_program.py"
    parser.add_argument("dataset", nargs="?", type=Path, default=ROOT / "input.txt")
    parser.add_argument("--against", type=Path, metavar="SCRIPT", help="only compare, with this")
    parser.add_argument("--steps", type=int, default=100, help="steps after which both are stopped")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison")
    parser.add_argument("--patience", type=float, default=120.0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
    try:
        if not args.against:
            if platform.python_implementation() == "CPython":
                gc.disable()  # as main() does
            print("\nOne training step, in ms:")
            for name, number in parts(microgpt.read_docs(args.dataset), args.steps).items():
                print(f"  {name:<18}{number:9.2f}")
        script = args.against or naive
        same = compare(script, args.dataset, args.steps, args.rounds, args.patience)
    except (OSError, ValueError) as error:
        return str(error)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
