"""Does `import microgpt` leave everything as it was?"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests import ROOT

SCRIPT = """
import gc, random, sys
import argparse, contextlib, dataclasses, io, pathlib, typing, unicodedata, urllib.request

touched = []
def watch(event, args):
    name = str(args[0]) if args else ""
    if event == "open" and not name.endswith((".py", ".pyc")):
        touched.append((event, name))
    elif event.startswith(("socket.", "urllib.", "os.mkdir", "os.remove", "subprocess.")):
        touched.append((event, name))
sys.addaudithook(watch)

before = random.getstate(), gc.isenabled(), sys.getrecursionlimit()
import microgpt
assert (random.getstate(), gc.isenabled(), sys.getrecursionlimit()) == before
assert not touched, touched
assert microgpt.Value(2).data == 2
"""


class Importing(unittest.TestCase):
    def test_no_side_effects(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-B", "-c", SCRIPT],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.assertEqual(list(Path(folder).iterdir()), [])
        self.assertEqual(done.stdout, b"")
        self.assertEqual(done.returncode, 0)
