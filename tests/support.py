"""What several test files need: an empty folder, the program in this process or one of its own."""

import contextlib
import functools
import gc
import io
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import microgpt  # noqa: E402

# Remove what a developer may have set, and what changes the output.
for name in list(os.environ):
    if name.startswith("PYTHON") or name in ("COLUMNS", "FORCE_COLOR"):
        del os.environ[name]

PROGRAM = str(ROOT / "microgpt.py")
SOURCE = (ROOT / "microgpt.py").read_text(encoding="utf-8")
KOREAN_NAMES = ROOT / "tests" / "data" / "korean_names.txt"
NAMES = ["anna", "bob", "carla", "dora", "ed", "xenophon", "abcdabcdabcd", "o"]
SHORT = ("--num_steps=2", "--num_samples=2", "--n_embd=4", "--n_head=2")


class InFolder(unittest.TestCase):
    """Tests that have an empty folder each, which is the current one: self.folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def file(self, data, name="docs.txt"):
        path = self.folder / name
        path.write_bytes(data)
        return path


def untrained(docs, **settings):
    """What run() has before training: state dict, tokenizer, shuffled documents, settings, rng."""
    settings = microgpt.Settings(**settings)
    rng = random.Random(settings.seed)
    docs = list(docs)
    rng.shuffle(docs)
    tokenizer = microgpt.Tokenizer(docs)
    state_dict = microgpt.init_state_dict(settings, tokenizer.vocab_size, rng)
    return state_dict, tokenizer, docs, settings, rng


def parameters(state_dict):
    return [p for matrix in state_dict.values() for row in matrix for p in row]


def watched_training(*args, train=microgpt.train, most=1010):
    """train(), which fails at once if it runs on, or keeps its graphs."""
    for step, loss in enumerate(train(*args), 1):
        if step > most or microgpt.tape:
            raise AssertionError(f"step {step}: {len(microgpt.tape)} Values are on the tape")
        yield loss


@functools.cache
def published_run():
    """What the run with no arguments prints, and the parameters that it trains."""
    watched = mock.patch.object(microgpt, "train", watched_training)
    with watched, contextlib.redirect_stdout(io.StringIO()) as out:
        state_dict = microgpt.run(microgpt.read_docs(ROOT / "input.txt"), microgpt.Settings())
    return out.getvalue(), state_dict


def run_python(*args, stdin=b"", stdout=subprocess.PIPE, **env):
    """Run Python as a process; stdout and stderr are bytes, whose lines end in \\n everywhere."""
    command, pipe = [sys.executable, *map(str, args)], subprocess.PIPE
    env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run(command, input=stdin, stdout=stdout, stderr=pipe, timeout=60, env=env)
    done.stdout = (done.stdout or b"").replace(os.linesep.encode(), b"\n")
    done.stderr = done.stderr.replace(os.linesep.encode(), b"\n")
    return done


def run_main(*args, stdin=b"", stdout=None):
    """Run main() in this process: its exit code, and what it wrote to stdout and stderr."""
    out, err, code = io.BytesIO(), io.BytesIO(), 0
    streams = {
        "stdin": io.TextIOWrapper(io.BytesIO(stdin), "ascii"),
        "stdout": stdout or io.TextIOWrapper(out, "utf-8", newline="\n"),
        "stderr": io.TextIOWrapper(err, "utf-8", "backslashreplace", newline="\n"),
    }
    short = functools.partial(watched_training, most=30)
    try:
        with (
            mock.patch.object(microgpt, "train", short),
            mock.patch.multiple(sys, argv=[PROGRAM, *map(str, args)], **streams),
        ):
            microgpt.main()
    except SystemExit as stop:
        code = stop.code
    finally:
        gc.enable()  # which main() leaves disabled
    if isinstance(code, str):  # a message, which Python itself would write to stderr
        streams["stderr"].write(f"{code}\n")
        code = 1
    for stream in ("stdout", "stderr"):
        streams[stream].flush()
    return code, out.getvalue().decode(), err.getvalue().decode()
