"""Does bad input get one clear line and the right exit code, and never a traceback?

Every bad input is given to the program as a user would give it.
"""

import os
import subprocess
import sys
import unittest
from dataclasses import FrozenInstanceError, fields

import microgpt
from microgpt import Settings
from tests import KOREAN_NAMES, PIPES, PROGRAM, InFolder, run


class BadInput(InFolder):
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
        reason = "Permission denied" if os.name == "nt" else "Is a directory"
        self.assertOneLine(run(self.folder), f"{self.folder}: {reason}")

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
        script = f'"{sys.executable}" "{PROGRAM}" - <&-'
        done = subprocess.run(script, shell=True, **PIPES)
        self.assertOneLine(done, "standard input")

    def test_long_documents_are_trained_on_with_a_warning(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        done = run(path, "--block_size", 3, "--num_steps", 5, "--num_samples", 1)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr.decode(),
            f"microgpt.py: warning: 3 of 5 documents are cut to 3 tokens{os.linesep}",
        )
        done = run(path, "--block_size", 6, "--num_steps", 5, "--num_samples", 1)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class Options(BadInput):
    def test_values_out_of_range(self):
        for name, *values in (
            ("n_layer", "0", "1.5", "x", ""),
            ("n_embd", "0", "18", "1e2"),
            ("block_size", "0", "inf"),
            ("n_head", "0", "3", "32"),
            ("num_steps", "-1", "1.0"),
            ("lr", "0", "-0.1", "nan", "inf", "-inf", "x", "1e-400"),
            ("temperature", "0", "-1", "nan"),
            ("num_samples", "-1", "all"),
            ("seed", "1.5", "9" * 5000 + "x"),
        ):
            for value in values:
                with self.subTest(name=name, value=value[:9]):
                    self.assertUsageError(run("no such file", f"--{name}={value}"), name)

    def test_options_that_do_not_exist(self):
        self.assertUsageError(run("--n_heads", "4"), "unrecognized arguments: --n_heads")
        self.assertUsageError(run("--n_he", "4"), "unrecognized arguments: --n_he")
        self.assertUsageError(run("a.txt", "b.txt"), "unrecognized arguments: b.txt")
        self.assertUsageError(run("--seed"), "--seed: expected one argument")

    def test_the_message_says_what_is_expected_and_what_was_given(self):
        not_a_multiple = "n_embd (16) must be a multiple of n_head (3)"
        self.assertUsageError(run("--n_head", "3"), not_a_multiple)
        for settings, message in (
            ({"n_head": 0}, "n_head must be an integer >= 1, got 0"),
            ({"num_steps": -1}, "num_steps must be an integer >= 0, got -1"),
            ({"n_layer": 1.0}, "n_layer must be an integer >= 1, got 1.0"),
            ({"n_layer": True}, "n_layer must be an integer >= 1, got True"),
            ({"num_samples": []}, "num_samples must be an integer >= 0, got []"),
            ({"seed": None}, "seed must be an integer, got None"),
            ({"lr": float("nan")}, "lr must be a finite number > 0, got nan"),
            ({"lr": True}, "lr must be a finite number > 0, got True"),
            ({"temperature": "low"}, "temperature must be a finite number > 0, got 'low'"),
            ({"n_head": 3}, not_a_multiple),
        ):
            with self.subTest(settings), self.assertRaises(ValueError) as caught:
                Settings(**settings)
            self.assertEqual(str(caught.exception), message)

    def test_settings_that_are_fine(self):
        self.assertEqual(Settings(lr=1, seed=-(10**30)).lr, 1)
        with self.assertRaises(FrozenInstanceError):
            Settings().lr = 2.0
        options = ("--num_steps=0", "--num_samples=0", "--seed=-1", "--block_size=1", "--n_embd=4")
        done = run(self.file(b"ab\n"), *options)
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

    def test_an_infinite_loss_is_divergence_too(self):
        for loss in ("inf", "-inf", "nan"):
            with self.assertRaisesRegex(FloatingPointError, f"at step 1: the loss is {loss}"):
                microgpt.show_progress([float(loss)], 1)

    def test_a_low_temperature_is_not_divergence(self):
        done = run(KOREAN_NAMES, "--temperature=1e-320", "--num_steps=1", "--num_samples=2")
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class TheMachine(BadInput):
    SCRIPT = """
import sys
import microgpt
def run(docs, settings):
    raise {}
microgpt.run = run
sys.argv[0] = "microgpt.py"
microgpt.main()
"""

    def test_errors_of_the_run_are_what_they_are(self):
        for error, message in (
            ("MemoryError", "not enough memory"),
            ("OSError(5, 'Input/output error', 'a file')", "error: [Errno 5] Input/output error"),
        ):
            self.assertOneLine(run(KOREAN_NAMES, code=self.SCRIPT.format(error)), message)


class Help(unittest.TestCase):
    def test_help(self):
        done = run("--help", env={"COLUMNS": "80"})
        text = done.stdout.decode()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        words = " ".join(text.split())
        for f in fields(Settings):
            self.assertIn(f"--{f.name} N {f.metadata['help']} (default: {f.default})", words)
        self.assertIn("example: microgpt.py my_names.txt", text)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.stdout.decode().split(), ["microgpt.py", microgpt.__version__])
        self.assertEqual(done.returncode, 0)
