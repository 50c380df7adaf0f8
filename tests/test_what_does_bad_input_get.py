"""Does bad input get one clear line and the right exit code, and never a traceback?"""

import tempfile
import unittest
from pathlib import Path

from tests import run


class BadInput(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assertOneLine(self, done, code, *words):
        self.assertEqual((done.returncode, done.stdout), (code, b""))
        (line,) = done.stderr.decode().splitlines()
        self.assertTrue(line.startswith("microgpt.py: error: "), line)
        for word in words:
            self.assertIn(str(word), line)

    def test_missing_file(self):
        path = self.folder / "no such.txt"
        self.assertOneLine(run(path), 1, path, "No such file")

    def test_folder(self):
        self.assertOneLine(run(self.folder), 1, self.folder)

    def test_empty_and_blank(self):
        for data in (b"", b" \n\r\n\t\n"):
            path = self.folder / "blank.txt"
            path.write_bytes(data)
            self.assertOneLine(run(path), 1, path, "no documents")

    def test_not_utf_8(self):
        path = self.folder / "latin1.txt"
        path.write_bytes("anna\nzoë\n".encode("latin-1"))
        self.assertOneLine(run(path), 1, path, "line 2", "UTF-8")

    def test_unknown_option(self):
        done = run("--no_such_option", "1")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"unrecognized arguments: --no_such_option", done.stderr)
