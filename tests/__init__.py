"""The tests of microgpt: `python -m unittest` in the project's folder runs them all.

Each file answers the question that its name asks. They need nothing but the standard library.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

# Whoever runs the tests may have these set; the program is to be seen as it is without them.
for name in ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED"):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "microgpt.py"
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


def run(*args, env=None, **kwargs):
    """Run microgpt.py in a process of its own, as a user would; stdout and stderr are bytes."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, args)],
        stdin=kwargs.pop("stdin", None if "input" in kwargs else subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        timeout=600,
        **kwargs,
    )


@functools.lru_cache(maxsize=None)
def default_run(path):
    """What the program makes of a dataset with the default settings; it is run only once."""
    return run(path)
