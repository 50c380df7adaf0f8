"""The tests of microgpt: `python -m unittest` in the project's folder runs them all.

Each file answers the question that its name asks. They need nothing but the standard library.
"""

import functools
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

# Whoever runs the tests may have these set; the program is to be seen as it is without them.
for name in ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED"):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(ROOT / "microgpt.py")
KOREAN_NAMES = ROOT / "tests" / "data" / "korean_names.txt"

HOW_TO_GIVE_THE_NAMES = (
    "the names of the published run are not here: "
    "set MICROGPT_NAMES to the path of the file, or run tests/check_published.py"
)


def published_names():
    """The dataset of the published run, if it can be had without a network, else None."""
    given = os.environ.get("MICROGPT_NAMES")
    names = Path(given) if given else ROOT.parent / "shared" / "data" / "names.txt"
    return names if given or names.exists() else None


class InFolder(unittest.TestCase):
    """Tests with an empty folder for each, self.folder, and processes that end with the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, *args, code=None, **kwargs):
        """Start microgpt.py, or some code; a shell in the background may have it ignore Ctrl-C."""
        if os.name != "nt":
            kwargs["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command(*args, code=code), **{**PIPES, **kwargs})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def command(*args, code=None):
    return [sys.executable, *([PROGRAM] if code is None else ["-c", code]), *map(str, args)]


def run(*args, code=None, env=None, **kwargs):
    """Run microgpt.py as a user would, or some code; stdout and stderr are bytes."""
    kwargs.setdefault("input", b"")
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(command(*args, code=code), **PIPES, env=env, timeout=600, **kwargs)


@functools.lru_cache(maxsize=None)
def default_run(path):
    """What the program makes of a dataset with the default settings; it is run only once."""
    return run(path, env={"PYTHONIOENCODING": "utf-8"})
