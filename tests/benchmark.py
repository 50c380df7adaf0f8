"""How fast is it? Measures microgpt.py against any script that prints the same lines.

    python tests/benchmark.py                        against the naive program
    python tests/benchmark.py --against SCRIPT.py    against the original, a fork, an older version

Two scripts take turns in fresh processes, each in a folder with the dataset as input.txt, and are
stopped after --steps steps, which their status lines tell. It prints medians and ranges. The exit
code is 1 if the outputs differ as far as both go, or if a script fails.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


def measure(script, dataset, steps):
    """The lines that a script writes in that many steps, or in all; and the ms for each step."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(dataset, Path(folder, "input.txt"))
        command = [sys.executable, script.resolve(strict=True)]
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE)
        out, times, part = b"", [], b"start"
        while part and len(times) <= steps:
            part = process.stdout.read1(1 << 16)
            out += part
            seen = out.count(b"\r") - out.count(b"\r\n")
            times += [time.perf_counter()] * (seen - len(times))
        failed = not part and process.wait()
        process.kill()
        process.communicate()
    if failed:
        raise ValueError(f"{script}: exit status {failed}")
    if len(times) < 2 or times[0] == times[-1]:  # nothing to divide by
        raise ValueError(f"{script}: its status lines are fewer than two, or came all at once")
    lines = out.decode(errors="replace").splitlines()
    return lines[:-1] if part else lines, (times[-1] - times[0]) / (len(times) - 1) * 1e3


def compare(script, dataset, steps, rounds):
    """Run both programs alternately, print medians, and say whether they wrote the same."""
    print(f"Training on {dataset.name}, {steps} steps, {rounds} rounds, alternating: ms per step")
    taken, different = [], []
    for _ in range(rounds):
        ours, our_ms = measure(ROOT / "microgpt.py", dataset, steps)
        theirs, their_ms = measure(script, dataset, steps)
        taken.append((our_ms, their_ms, their_ms / our_ms))
        different += [pair for pair in zip(ours, theirs) if len(set(pair)) > 1]
    for name, numbers in zip(("microgpt.py", f"{script.name} (other)", "ratio"), zip(*taken)):
        print(f"  {name:<28}{median(numbers):9.2f}   ({min(numbers):.2f} to {max(numbers):.2f})")
    print("outputs differ:" if different else "outputs identical", *different[:1])
    return not different


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("dataset", nargs="?", type=Path, default=ROOT / "input.txt")
    naive = ROOT / "tests" / "naive.py"
    parser.add_argument("--against", type=Path, metavar="SCRIPT", default=naive)
    parser.add_argument("--steps", type=int, default=30, help="steps after which both are stopped")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the comparison")
    args = parser.parse_args()
    if min(args.steps, args.rounds) < 1:
        parser.error("--steps and --rounds must be at least 1")
    print(platform.python_implementation(), platform.python_version(), "on", platform.machine())
    try:
        return 0 if compare(args.against, args.dataset, args.steps, args.rounds) else 1
    except (OSError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
