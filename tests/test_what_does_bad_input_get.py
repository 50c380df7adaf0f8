"""Does bad input get one clear line and the right exit code, and never a traceback?"""

import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import fields
from pathlib import Path

import microgpt
from tests import KOREAN_NAMES, ROOT, run


class BadInput(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, data, name="docs.txt"):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def assertOneLine(self, done, *words):
        """Exit 1, nothing but one line on stderr, and all of the words in it."""
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        (line,) = done.stderr.decode().splitlines()
        self.assertTrue(line.startswith("microgpt.py: error: "), line)
        for word in words:
            self.assertIn(str(word), line)

    def assertUsageError(self, done, *words):
        """Exit 2, the usage and one line on stderr, and all of the words in it."""
        self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
        usage, line = done.stderr.decode().splitlines()
        self.assertTrue(usage.startswith("usage: microgpt.py "), usage)
        self.assertTrue(line.startswith("microgpt.py: error: "), line)
        for word in words:
            self.assertIn(str(word), line)


class Datasets(BadInput):
    def test_missing_file(self):
        path = self.folder / "no such.txt"
        self.assertOneLine(run(path), path, "No such file")
        self.assertOneLine(run(""), "No such file")

    def test_folder(self):
        self.assertOneLine(run(self.folder), self.folder)

    @unittest.skipIf(not hasattr(os, "getuid") or os.getuid() == 0, "nothing is unreadable to root")
    def test_unreadable(self):
        path = self.file(b"anna\n")
        path.chmod(0)
        self.assertOneLine(run(path), path, "Permission denied")

    def test_name_that_is_not_text(self):
        self.assertOneLine(run(b"\xff\xfe.txt".decode(errors="surrogateescape")), "No such file")

    def test_name_with_a_line_end(self):
        self.assertOneLine(run("no\nsuch\x1b.txt"), "no?such?.txt: No such file")

    def test_empty_and_blank(self):
        for data in (b"", b" \n\r\n\t\n"):
            path = self.file(data)
            self.assertOneLine(run(path), path, "no documents")
        self.assertOneLine(run("-", input=b"\n"), "standard input", "no documents")

    def test_not_utf_8(self):
        path = self.file("anna\nzoë\n".encode("latin-1"))
        self.assertOneLine(run(path), path, "line 2", "UTF-8")
        path = self.file("anna\n".encode("utf-16"))
        self.assertOneLine(run(path), path, "line 1", "UTF-8")
        self.assertOneLine(run("-", input=b"a\nb\n\xff\n"), "standard input", "line 3", "UTF-8")

    @unittest.skipIf(os.name == "nt", "a POSIX shell's way to close standard input")
    def test_closed_standard_input(self):
        script = f'"{sys.executable}" "{microgpt.__file__}" - <&-'
        done = subprocess.run(script, shell=True, stdout=-1, stderr=-1)
        self.assertOneLine(done, "standard input")

    def test_long_documents_are_trained_on_with_a_warning(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        done = run(path, "--block_size", 3, "--num_steps", 5, "--num_samples", 1)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr.decode(),
            "microgpt.py: warning: 3 of 5 documents have more than 2 characters: "
            f"only their first 3 tokens are trained on{os.linesep}",
        )
        done = run(path, "--block_size", 6, "--num_steps", 5, "--num_samples", 1)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class Options(BadInput):
    def test_values_that_cannot_be(self):
        for name, *values in (
            ("n_layer", "0", "-1", "1.5", "x", "", "nan"),
            ("n_embd", "0", "-16", "18", "1e2"),
            ("block_size", "0", "-1", "inf"),
            ("n_head", "0", "3", "32", "-4"),
            ("num_steps", "-1", "1.0"),
            ("lr", "0", "-0.1", "nan", "inf", "-inf", "x", "1e-400"),
            ("temperature", "0", "-1", "nan", "inf", "hot"),
            ("num_samples", "-1", "all"),
            ("seed", "1.5", "x", "9" * 5000 + "x"),
        ):
            for value in values:
                with self.subTest(name=name, value=value[:9]):
                    self.assertUsageError(run("no such file", f"--{name}={value}"), name)

    def test_the_message_names_the_range_and_the_value(self):
        self.assertUsageError(
            run("--n_head", "0"), "n_head must be a whole number, at least 1, not 0"
        )
        self.assertUsageError(run("--lr", "nan"), "lr must be a finite number above 0, not nan")
        self.assertUsageError(run("--n_head", "3"), "n_embd (16) must be a multiple of n_head (3)")

    def test_options_that_do_not_exist(self):
        self.assertUsageError(run("--n_heads", "4"), "unrecognized arguments: --n_heads")
        self.assertUsageError(run("--n_he", "4"), "unrecognized arguments: --n_he")
        self.assertUsageError(run("a.txt", "b.txt"), "unrecognized arguments: b.txt")
        self.assertUsageError(run("--seed"), "--seed: expected one argument")

    def test_settings_refuse_the_same_without_a_command_line(self):
        for name, value in (
            ("n_head", 0), ("lr", float("nan")), ("n_embd", 18), ("num_steps", -1),
            ("n_layer", 1.0), ("temperature", "low"), ("num_samples", []), ("seed", None),
        ):  # fmt: skip
            with self.subTest(name), self.assertRaisesRegex(ValueError, name):
                microgpt.Settings(**{name: value})

    def test_edges_that_are_fine(self):
        path = self.file(b"ab\n")
        done = run(
            path, "--num_steps=0", "--num_samples=0", "--seed=-1", "--block_size=1", "--n_embd=4"
        )
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stdout,
            b"num docs: 1\nvocab size: 3\nnum params: 220\n"
            b"\n--- inference (new, hallucinated names) ---\n",
        )


class Divergence(BadInput):
    def test_stops_at_the_step(self):
        for options, step in (
            (["--lr", "1e300"], 3),
            (["--lr", "1e300", "--num_steps", "1"], 1),  # seen when sampling
            (["--lr", "1e150", "--num_steps", "2"], 2),
            (["--lr", "1e308", "--n_layer", "2", "--n_embd", "4"], 2),
        ):
            with self.subTest(options):
                done = run(KOREAN_NAMES, *options)
                self.assertEqual(done.returncode, 1)
                (line,) = done.stderr.decode().splitlines()
                self.assertRegex(line, rf"^microgpt.py: error: training diverged at step {step}: ")
                self.assertNotIn(b"nan", done.stdout)

    def test_a_low_temperature_is_not_divergence(self):
        done = run(KOREAN_NAMES, "--temperature=1e-320", "--num_steps=1", "--num_samples=2")
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class Memory(BadInput):
    SCRIPT = """
import sys
import microgpt
def run(docs, settings):
    raise MemoryError
microgpt.run = run
sys.argv[0] = "microgpt.py"
microgpt.main()
"""

    def test_not_enough_memory(self):
        command = [sys.executable, "-c", self.SCRIPT, str(KOREAN_NAMES)]
        done = subprocess.run(command, cwd=ROOT, stdout=-1, stderr=-1)
        self.assertOneLine(done, "not enough memory")


class Help(unittest.TestCase):
    def test_help(self):
        done = run("--help", env={"COLUMNS": "80"})
        text = done.stdout.decode()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        words = " ".join(text.split())
        for f in fields(microgpt.Settings):
            self.assertIn(f"--{f.name} N {f.metadata['help']} (default: {f.default})", words)
        self.assertIn("example: microgpt.py my_names.txt", text)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.stdout.decode().split(), ["microgpt.py", microgpt.__version__])
        self.assertEqual(done.returncode, 0)
