"""Does the command work for everybody, wherever it runs, and say in one line what is wrong?"""

import contextlib
import doctest
import gc
import io
import os
import random
import re
import signal
import subprocess
import sys
import unicodedata
import unittest
from collections import Counter
from dataclasses import fields
from unittest import mock

import microgpt
from microgpt import Settings
from tests import KOREAN_NAMES, ROOT, InFolder, call, not_root, run

try:
    import pty
except ImportError:  # Windows
    pty = None

SHORT = ("--num_steps", "2", "--num_samples", "2", "--n_embd", "4", "--n_head", "2")


class CommandLine(InFolder):
    def file(self, data, name="docs.txt"):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def assertOneLine(self, result, *words):
        """Exit code 1, nothing but one line on stderr, and all of the words in it."""
        code, out, err = result
        self.assertEqual((code, out), (1, ""), err)
        self.assertRegex(err, r"\Amicrogpt\.py: error: [^\n]+\n\Z")
        for word in words:
            self.assertIn(str(word), err)

    def assertUsageError(self, result, words=""):
        """Exit code 2, the usage and one line on stderr, and the words in that line."""
        code, out, err = result
        self.assertEqual((code, out), (2, ""), err)
        self.assertTrue(err.startswith("usage: microgpt.py "), err)
        self.assertRegex(err.splitlines()[-1], rf"^microgpt\.py: error: .*{re.escape(words)}")


class Datasets(CommandLine):
    def test_files_that_cannot_be_used(self):
        folder, empty = self.folder, self.file(b" \n\r\n\t\n", "line\nend.txt")
        for path, *words in (
            (folder / "no such.txt", folder / "no such.txt", "No such file"),
            (folder, folder),
            ("",),
            ("a\0b",),
            ("no\nsuch\x1b\udcff.txt", r"no\nsuch\x1b\udcff.txt"),
            (empty, "line\\nend.txt", "no documents"),
            ("-", "'-'", "no documents"),
            (self.file("anna\nzoë\n".encode("latin-1")), folder, "line 2 is not UTF-8"),
        ):
            with self.subTest(path):
                self.assertOneLine(call(path, stdin=b"\n"), *words)

    @not_root
    def test_unreadable(self):
        path = self.file(b"anna\n")
        path.chmod(0)
        self.assertOneLine(call(path), path, "Permission denied")

    def test_long_documents_are_trained_on_with_a_warning(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        code, _, err = call(path, *SHORT, "--block_size", 3)
        warning = "warning: 3 of 5 documents are cut to 3 tokens\n"
        self.assertEqual((code, err), (0, warning))
        self.assertEqual(call(path, *SHORT, "--block_size", 6)[::2], (0, ""))

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_warning_that_cannot_be_written_stops_nothing(self):
        path = self.file(b"a\nbb\nccc\n")
        with open("/dev/full", "wb") as full:
            process = self.start(path, *SHORT, "--block_size", 3, stderr=full)
            out = process.stdout.read()
        # PyPy tries once more at exit, whatever sys.stderr is by then, and says 120
        self.assertIn(process.wait(), (0,) if sys.implementation.name == "cpython" else (0, 120))
        self.assertRegex(out, rb"\nsample  2: ")


class Options(CommandLine):
    def test_values_out_of_range(self):
        for name, *values in (
            ("n_layer", "-1", "1.5", "x", ""),
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
                    self.assertUsageError(call("no such file", f"--{name}={value}"), name)

    def test_wrong_usage(self):
        for arguments, message in (
            (["--n_head=0"], "n_head must be finite and >= 1, got 0"),
            (["--n_head=3"], "n_embd (16) must be a multiple of n_head (3)"),
            (["--lr=nan"], "lr must be finite and >= 1e-300, got nan"),
            (["--n_heads=4"], "unrecognized arguments: --n_heads"),
            (["--n_he=4"], "unrecognized arguments: --n_he"),
            (["a.txt", "b.txt"], "unrecognized arguments: b.txt"),
            (["--seed"], "--seed: expected one argument"),
            (["--seed=--"], ""),
        ):
            with self.subTest(arguments):
                self.assertUsageError(call(*arguments), message)

    def test_the_prompt(self):
        path = self.file("\u1100\u1161\u1100\u1161b\n".encode())  # decomposed: two syllables and b
        code, out, _ = call(path, *SHORT, "--prompt", "\u1100\u1161b")  # one syllable, and b
        self.assertEqual(code, 0)
        samples = re.findall(r"^sample  \d: (.*)$", out, re.M)
        self.assertEqual([text[:2] for text in samples], ["\uac00b"] * 2)
        self.assertOneLine(call(path, *SHORT, "--prompt", "x"), "'x'")
        self.assertOneLine(call(path, *SHORT, "--prompt", "bbbb", "--block_size", 4), "'bbbb'")
        plain = call(path, *SHORT)
        self.assertEqual(call(path, *SHORT, "--prompt", ""), plain)

    def test_help_and_version(self):
        with mock.patch.dict(os.environ, {"COLUMNS": "80"}):
            code, text, err = call("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        words = " ".join(text.split())
        for f in fields(Settings):
            self.assertIn(f"--{f.name} N {f.metadata['help']} (default: {f.default})", words)
        self.assertRegex(words, r"\[--prompt TEXT\] .*\[DATASET\] ")
        self.assertEqual(call("--version"), (0, f"microgpt.py {microgpt.__version__}\n", ""))


class Divergence(CommandLine):
    def test_one_line_says_at_which_step(self):
        for options, where in (
            ("--lr=1e300", "at step 3: the loss is "),
            ("--lr=1e150 --num_steps=2", "at step 2: "),
            ("--lr=1e308 --n_layer=2 --n_embd=4", "at step 2: "),
            ("--lr=1e300 --num_steps=1", ": "),  # seen only when sampling
        ):
            code, out, err = call(KOREAN_NAMES, *options.split())
            self.assertEqual(code, 1)
            self.assertRegex(err, rf"\A.*: error: training diverged ?{where}[^\n]+\n\Z")
            self.assertNotIn("nan", out)

    def test_an_infinite_loss_is_divergence_too(self):
        for loss in ("inf", "-inf", "nan"):
            with mock.patch.object(microgpt, "train", return_value=[float(loss)]):
                _, out, err = call(KOREAN_NAMES)
            self.assertIn(f"at step 1: the loss is {loss}", err)
            self.assertNotIn("step", out)


class TheMachine(CommandLine):
    def test_the_collector_rests_during_the_run_and_errors_are_told(self):
        """On CPython only: elsewhere the collector is what frees a graph."""

        def out_of_memory(*args):
            self.assertEqual(gc.isenabled(), sys.implementation.name != "cpython")
            raise MemoryError

        with mock.patch.object(microgpt, "run", out_of_memory):
            self.assertOneLine(call(KOREAN_NAMES), "out of memory")

    def test_depth_is_not_bounded_by_recursion(self):
        names = self.file(b"ab" * 200 + b"\n")
        for option in ("--n_layer=32", "--block_size=256"):
            code, out, err = call(names, option, "--n_embd=4", "--num_steps=1", "--num_samples=1")
            self.assertEqual(code, 0, err)
            self.assertIn("step    1 /    1 | loss 1.", out)


class Everywhere(CommandLine):
    def test_locales_and_encodings(self):
        expected = call(KOREAN_NAMES, *SHORT)[1]
        for env in (
            {"LC_ALL": "C"},
            {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "euc-kr"},
            {"PYTHONUTF8": "1"},
        ):
            with self.subTest(env):
                show = "import sys; print(sys.stdout.encoding)"
                encoding = run(code=show, env=env).stdout.decode().strip()
                done = run(KOREAN_NAMES, *SHORT, env=env)
                out = done.stdout.replace(os.linesep.encode(), b"\n")
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(out, expected.encode(encoding, "backslashreplace"))

    def test_standard_input(self):
        data = unicodedata.normalize("NFD", KOREAN_NAMES.read_text(encoding="utf-8"))
        data = b"\xef\xbb\xbf" + data.replace("\n", "\r\n").encode()
        self.assertEqual(call("-", *SHORT, stdin=data), call(KOREAN_NAMES, *SHORT))

    def test_which_input_txt(self):
        """The one of the current folder, else the one beside the script."""
        count = len((ROOT / "input.txt").read_bytes().splitlines())
        done = run(*SHORT, cwd=self.folder)
        self.assertTrue(done.stdout.startswith(b"num docs: %d" % count), done.stderr)
        self.assertEqual((done.stderr, os.listdir(self.folder)), (b"", []))
        self.file(b"ab\nba\n", "input.txt")
        done = run(*SHORT, cwd=self.folder)
        self.assertTrue(done.stdout.startswith(b"num docs: 2"), done.stderr)

    def test_without_a_file_of_its_own(self):
        """As `python -c "$(cat microgpt.py)"`, or in a notebook's cell."""
        self.file(b"ab\nba\n", "input.txt")
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        done = run(*SHORT, code=source, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout.startswith(b"num docs: 2"))

    def test_in_a_notebook(self):
        """Where standard output is no file, cannot be told how to encode, and is used again."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            microgpt.main([str(KOREAN_NAMES), *SHORT])
            self.assertRaises(SystemExit, microgpt.main, ["no such file"])
            self.assertIs(sys.stdout, out)
        gc.enable()
        self.assertIn("sample  2: ", out.getvalue())

    def test_the_examples_in_the_docstrings(self):
        result = doctest.testmod(microgpt)
        self.assertGreater(result.attempted, 0)
        self.assertEqual(result.failed, 0)


class Ends(CommandLine):
    def test_closed_pipe(self):
        process = self.start(KOREAN_NAMES)
        self.assertEqual(process.stdout.readline().strip(), b"num docs: 263")
        process.stdout.close()
        self.assertEqual((process.stderr.read(), process.wait()), (b"", 1))

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            process = self.start(KOREAN_NAMES, "--num_steps=0", "--num_samples=0", stdout=full)
            message = b"microgpt.py: error: [Errno 28] No space left on device\n"
            self.assertEqual((process.stderr.read(), process.wait()), (message, 1))

    @unittest.skipIf(os.name == "nt", "Windows has no signals")
    def test_interrupt_while_waiting_for_standard_input(self):
        code = """
import microgpt
read_docs = microgpt.read_docs
microgpt.read_docs = lambda path: print("now", flush=True) or read_docs(path)
microgpt.main(["-"])
"""
        process = self.start(code=code, cwd=ROOT, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"now\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual((process.stderr.read(), process.wait()), (b"\n", 130))

    def test_each_line_can_be_read_at_once(self):
        """Each status and sample is written out before the next one is computed."""
        out, seen = io.BytesIO(), []

        def watched(function):
            def wrapper(*args):
                seen.append((out.getvalue().count(b"\r"), out.getvalue().count(b"sample")))
                return function(*args)

            return wrapper

        functions = {f.__name__: watched(f) for f in (microgpt.document_loss, microgpt.sample)}
        settings = Settings(num_steps=3, num_samples=3)
        stdout = mock.patch.object(sys, "stdout", io.TextIOWrapper(out))
        with mock.patch.multiple(microgpt, **functions), stdout:
            microgpt.run(["ab"], settings)
        self.assertEqual(seen, [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2)])


# In the terminal a tenth of a second passes whenever somebody looks at the clock.
TERMINAL = """
import itertools, sys, time
ticks = itertools.count(7)
time.monotonic_ns = lambda: next(ticks) * 10**8
sys.argv[0] = "microgpt.py"
from microgpt import main
main()
"""


@unittest.skipIf(pty is None, "there are no pseudo-terminals on this system")
class Terminal(InFolder):
    def run_in_terminal(self, *args, interrupt=0):
        """Run on a pseudo-terminal; its exit code and all that it wrote there."""
        leader, follower = pty.openpty()
        streams = {"stdout": follower, "stderr": follower}
        process = self.start(KOREAN_NAMES, *args, code=TERMINAL, cwd=ROOT, **streams)
        os.close(follower)
        written = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while part := os.read(leader, 1 << 16):
                written += part
                if interrupt and written.count(b"loss") >= interrupt:
                    process.send_signal(signal.SIGINT)
                    interrupt = 0
        os.close(leader)
        return process.wait(), written.decode(errors="replace").replace("\r\n", "\n")

    def test_status_line(self):
        options = (*SHORT, "--num_steps=200")
        code, written = self.run_in_terminal(*options)
        self.assertEqual(code, 0)
        status = written.split("\n")[3].split("\r")
        self.assertEqual((len(status), status.pop()), (201, ""))
        left = [part.split(" | ")[2] for part in status[:-1]]
        expected = ["19 s left  ", "10 s left  ", "0 s left  "]
        self.assertEqual([left[0], left[99], left[-1]], expected)
        # the last one covers that, and the first two parts are what goes into a pipe
        self.assertEqual(status[-1].rstrip(), status[-1][: len("step  200 /  200 | loss 4.0000")])
        self.assertGreaterEqual(len(status[-1]), len(status[-2]))
        piped = call(KOREAN_NAMES, *options)[1].split("\n")[3].split("\r")
        parts = [" | ".join(part.rstrip().split(" | ")[:2]) for part in status]
        self.assertEqual(parts, piped[:-1])

    def test_interrupt(self):
        """The last status stays, and the cursor goes to a new line."""
        code, written = self.run_in_terminal("--num_steps", "9" * 400, interrupt=20)
        self.assertEqual(code, 130)
        self.assertRegex(written, r"loss \d\.\d{4} \| \d+ s left  \r?\n\Z")


class Anything(InFolder):
    """Random command lines and files, of which MICROGPT_FUZZ_COUNT says how many."""

    VALUES = """0 1 2 3 -1 1.5 1e-3 -0.0 nan inf -inf 1e308 1e160 1e-320 0x10 1_0 １ None a -- -
        -x \udcff""".split()  # fmt: skip
    DATA = (
        b"ab\nba\ncab\n",
        b"",
        b"\n" * 1_000_000 + b"a",
        "가나다é".encode() * 100_000,
        b"\xff\xfea\nb\n",
        b"\x00a\nb\xed\xa0\x80\n",
        b"\r\n\t \x0b\x0c\x1c\x85" * 7,
        "각\r\n\u1100\u1161\r\ne\u0301\ufeff".encode(),
        "".join(map(chr, range(0xFF00, 0x10100))).encode(),
    )

    def test_no_traceback_and_no_file_touched(self):
        count = int(os.environ.get("MICROGPT_FUZZ_COUNT", "200"))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        path = self.folder / "input.txt"
        rng, codes = random.Random(10), Counter()
        for _ in range(count):
            noise = bytes(rng.randrange(256) for _ in range(100))
            data = rng.choice([*self.DATA, *self.DATA[:1] * 5, noise])
            path.write_bytes(data)
            arguments = [*SHORT, "--block_size=3", rng.choice([*[path] * 9, "-", "", "nowhere"])]
            for _ in range(rng.choice((0, 0, 1, 2))):
                name = rng.choice([*vars(Settings()), "prompt", "help", "version", "n_heads"])
                value = rng.choice([*self.VALUES, "", " 2 ", "\n", "2" * 5000])
                arguments += rng.choice(([f"--{name}={value}"], [f"--{name}", value]))
            with self.subTest(data=data[:60], arguments=arguments):
                code, _, err = call(*arguments, stdin=b"a\nb\n")
                codes[code] += 1
                self.assertEqual(code != 0, " error: " in err)
                self.assertEqual((os.listdir(), path.read_bytes()), ([path.name], data))
        self.assertEqual(sorted(codes), [0, 1, 2])
        self.assertGreater(codes[0], 0.2 * count)
