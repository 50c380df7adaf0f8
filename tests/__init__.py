"""The tests of microgpt, a file for each subject; here is what several of them need."""

import gc
import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import microgpt

# Whoever runs the tests may have these set; the program is to be seen as it is without them.
for name in ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED"):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(ROOT / "microgpt.py")
KOREAN_NAMES = ROOT / "tests" / "data" / "korean_names.txt"

# The dataset of the published run, if it is here: that takes no network.
NAMES_FILE = ROOT.parent / "shared" / "data" / "names.txt"
if "MICROGPT_NAMES" in os.environ:
    NAMES_FILE = Path(os.environ["MICROGPT_NAMES"])
elif not NAMES_FILE.exists():
    NAMES_FILE = None
needs_names = unittest.skipUnless(
    NAMES_FILE, "no names of the published run: set MICROGPT_NAMES, or run `task check:published`"
)
not_root = unittest.skipIf(
    getattr(os, "getuid", lambda: 0)() == 0, "root, or Windows: every file can be used"
)


class InFolder(unittest.TestCase):
    """Tests with an empty folder for each, self.folder, and processes that end with the test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, *args, code=None, **kwargs):
        """Start microgpt.py, or some code; after 9 seconds its output ends, as it is killed."""
        if os.name != "nt":  # a shell in the background may have it ignore Ctrl-C
            kwargs["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(command(*args, code=code), **{**PIPES, **kwargs})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        watchdog = threading.Timer(9, process.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        return process


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def command(*args, code=None):
    return [sys.executable, *([PROGRAM] if code is None else ["-c", code]), *map(str, args)]


def run(*args, code=None, env=None, **kwargs):
    """Run microgpt.py as a user would, or some code; stdout and stderr are bytes."""
    kwargs.setdefault("input", b"")
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(command(*args, code=code), **PIPES, env=env, timeout=120, **kwargs)


def call(*args, stdin=b""):
    """Call main() in this process: its exit code, and what it wrote to stdout and stderr."""
    out, err, code = io.BytesIO(), io.BytesIO(), 0
    streams = {
        "stdin": io.TextIOWrapper(io.BytesIO(stdin), "ascii"),
        "stdout": io.TextIOWrapper(out, "utf-8", newline="\n"),
        "stderr": io.TextIOWrapper(err, "utf-8", "backslashreplace", newline="\n"),
    }
    try:
        with mock.patch.multiple(sys, argv=[PROGRAM], **streams):
            microgpt.main([*map(str, args)])
    except SystemExit as stop:
        code = stop.code
    finally:
        gc.enable()  # which main() leaves disabled
    streams["stdout"].flush()
    streams["stderr"].flush()
    return code, out.getvalue().decode(), err.getvalue().decode()
