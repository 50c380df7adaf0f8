"""Does `import microgpt` leave everything as it was?"""

import os

from tests import InFolder, run

SCRIPT = """
import gc, random, sys
import argparse, contextlib, dataclasses, io, pathlib, shutil, typing, unicodedata

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


class Importing(InFolder):
    def test_no_side_effects(self):
        done = run(code=SCRIPT, cwd=self.folder, env={"PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual((done.stdout, done.stderr, done.returncode), (b"", b"", 0))
        self.assertEqual(os.listdir(self.folder), [])
