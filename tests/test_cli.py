"""Does the command work for everybody, wherever it runs, and say in one line what is wrong?"""

import ast
import contextlib
import doctest
import gc
import io
import os
import re
import signal
import subprocess
import sys
import threading
import unicodedata
import unittest
from dataclasses import fields
from unittest import mock

import microgpt
from microgpt import Settings
from tests import KOREAN_NAMES, PROGRAM, ROOT, SHORT, InFolder, call, not_root, process


class CommandLine(InFolder):
    def assertFails(self, result, *words):
        """Exit code 1 and nothing but one line, with the words in it; or 2, after the usage."""
        code, out, err = result
        usage, program, message = err.rpartition("microgpt.py: error: ")
        self.assertEqual((out, bool(program), message.count("\n")), ("", True, 1), err)
        self.assertEqual(code, 2 if usage else 1)
        self.assertRegex(usage, r"\A(usage: microgpt\.py (?s:.*)\n)?\Z")
        for word in words:
            self.assertIn(str(word), message)


class Datasets(CommandLine):
    def test_that_cannot_be_used(self):
        empty = self.file(b" \n\r\n\t\n", "line\nend.txt")
        for path, *words in (
            ("no such.txt", "'no such.txt'", "No such file"),
            (self.folder, repr(str(self.folder))),
            ("", ""),
            ("a\0b", ""),
            ("no\nsuch\x1b\udcff.txt", r"no\nsuch\x1b\udcff.txt"),
            (empty, "line\\nend.txt", "no documents"),
            ("-", "'-'", "no documents"),
            (self.file("anna\nzoë\n".encode("latin-1")), "docs.txt", "line 2 is not UTF-8"),
        ):
            with self.subTest(path):
                self.assertFails(call(path, stdin=b"\n"), *words)

    @unittest.skipUnless(os.path.exists("/proc/self/mem"), "there is no /proc/self/mem")
    def test_that_open_but_cannot_be_read(self):
        self.assertFails(call("/proc/self/mem"), "'/proc/self/mem'", "Input/output error")

    @not_root
    def test_that_may_not_be_read(self):
        path = self.file(b"anna\n")
        path.chmod(0)
        self.assertFails(call(path), path, "Permission denied")

    def test_of_long_documents_are_trained_on_with_a_warning(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        code, out, err = call(path, *SHORT, "--block_size=3")
        self.assertEqual((code, err.count("\n")), (0, 1))
        self.assertRegex(err, "warning: 3 of 5 documents")
        self.assertIn("sample  2: ", out)
        self.assertEqual(call(path, *SHORT, "--block_size=6")[::2], (0, ""))

    def test_from_standard_input(self):
        data = unicodedata.normalize("NFD", KOREAN_NAMES.read_text(encoding="utf-8"))
        data = b"\xef\xbb\xbf" + data.replace("\n", "\r\n").encode()
        self.assertEqual(call("-", *SHORT, stdin=data), call(KOREAN_NAMES, *SHORT))

    def test_called_input_txt(self):
        """The one of the current folder, else the one beside the script, whatever links to that."""
        count = len((ROOT / "input.txt").read_bytes().splitlines())
        program = self.folder / "link.py"
        with contextlib.suppress(OSError):  # Windows may not allow it
            program.symlink_to(PROGRAM)
        for script in {PROGRAM, str(program) if program.exists() else PROGRAM}:
            with mock.patch("tests.PROGRAM", script):
                done = process(*SHORT)
            self.assertTrue(done.stdout.startswith(b"num docs: %d" % count), done.stderr)
            self.assertEqual(done.stderr, b"")
        self.file(b"ab\nba\n", "input.txt")
        self.assertTrue(process(*SHORT).stdout.startswith(b"num docs: 2"))
        os.remove("input.txt")
        os.mkdir("input.txt")
        self.assertFails(call(), "'input.txt'")


class Options(CommandLine):
    def test_out_of_range(self):
        for name, *values in (
            ("n_layer", "-1", "1.5", "x", ""),
            ("n_embd", "0", "18", "1e2"),
            ("block_size", "0", "inf"),
            ("n_head", "0", "3", "32"),
            ("num_steps", "-1", "1.0"),
            ("lr", "0", "-0.1", "nan", "inf", "-inf", "x", "1e-400"),
            ("temperature", "0", "-1", "nan", "inf"),
            ("num_samples", "-1", "all"),
            ("seed", "1.5", "--", "9" * 5000 + "x"),
        ):
            for value in values:
                with self.subTest(name=name, value=value[:9]):
                    result = call("no such file", f"--{name}={value}")
                    self.assertFails(result, "" if value == "--" else name)
        self.assertFails(call("--temperature=0"), "temperature must be greater than 0")
        self.assertFails(call("--n_head=3"), "n_embd (16) must be a multiple of n_head (3)")

    def test_that_do_not_exist(self):
        for arguments in (["--n_heads=4"], ["--n_he=4"], ["a.txt", "b.txt"], ["--seed"]):
            self.assertFails(call(*arguments))

    def test_prompt(self):
        """It is measured in composed characters, as the dataset is."""
        path = self.file("\u1100\u1161\u1100\u1161b\n".encode())  # decomposed: two syllables and b
        options = (path, *SHORT, "--block_size=4")
        code, out, _ = call(*options, "--prompt", "\u1100\u1161\u1100\u1161b")
        self.assertEqual(code, 0)
        samples = re.findall(r"^sample  \d: (.*)$", out, re.M)
        self.assertEqual([text[:3] for text in samples], ["\uac00\uac00b"] * 2)
        self.assertFails(call(*options, "--prompt=bKx"), "'K'")
        self.assertFails(call(*options, "--prompt=bbbb"), "block_size")

    def test_help_and_version(self):
        code, text, err = call("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        words = " ".join(text.split())
        for f in fields(Settings):
            self.assertRegex(words, rf"--{f.name} N \w[^()]+ \(default: {f.default}\)")
        self.assertRegex(words, r"\[--prompt TEXT\] .*\[DATASET\] ")
        if sys.flags.optimize < 2:
            self.assertIn("python microgpt.py my_names.txt", words)
        self.assertEqual(call("--version"), (0, f"microgpt.py {microgpt.__version__}\n", ""))


class Divergence(CommandLine):
    def test_is_told_in_one_line(self):
        for options, words in (
            ("--lr=1e300", "training diverged after step 2"),
            ("--lr=100", "training diverged after step "),  # a probability of 0
            ("--lr=1e150 --n_layer=0", "training diverged after step "),
            ("--lr=1e300 --num_steps=1", "not all scores are finite"),  # seen only when sampling
        ):
            code, out, err = call(KOREAN_NAMES, *options.split())
            self.assertEqual(code, 1)
            self.assertRegex(err, rf"\A.*: error: {words}[^\n]*\n\Z")
            self.assertNotIn("nan", out)


class Depth(CommandLine):
    def test_is_not_bounded_by_recursion(self):
        names = self.file(b"ab" * 200 + b"\n")
        for option in ("--n_layer=32", "--block_size=256"):
            code, out, err = call(names, option, "--n_embd=4", "--num_steps=1", "--num_samples=1")
            self.assertEqual(code, 0, err)
            self.assertIn("step    1 /    1 | loss 1.", out)


class AnyMachine(CommandLine):
    def test_may_have_any_locale(self):
        expected = call(KOREAN_NAMES, *SHORT)[1]
        for env in (
            {"LC_ALL": "C"},
            {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "euc-kr"},
        ):
            show = "import sys; print(sys.stdout.encoding)"
            encoding = process(code=show, env=env).stdout.decode().strip()
            done = process(KOREAN_NAMES, *SHORT, env=env)
            out = done.stdout.replace(os.linesep.encode(), b"\n")
            self.assertEqual((done.returncode, done.stderr), (0, b""), env)
            self.assertEqual(out, expected.encode(encoding, "backslashreplace"), env)

    def test_may_run_the_source_without_a_file(self):
        self.file(b"ab\nba\n", "input.txt")
        done = process(*SHORT, code=(ROOT / "microgpt.py").read_text(encoding="utf-8"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout.startswith(b"num docs: 2"))

    def test_may_run_it_in_the_cell_of_a_notebook(self):
        """Its arguments are then the kernel's; `%run microgpt.py FILE` has its own."""
        self.file(b"ab\nba\n", "input.txt")
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8").replace("= 1000", "= 2")
        path = self.folder / "short.py"
        path.write_text(source, encoding="utf-8")
        start = f"exec(compile(open({str(path)!r}, encoding='utf-8').read(), 'cell', 'exec'))"
        done = process("-f", "kernel.json", code=f"get_ipython = None; {start}")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout.startswith(b"num docs: 2"))

    def test_may_have_a_standard_output_that_is_no_file(self):
        class Tee:
            def write(self, text):
                written.append(text)

            def flush(self):
                pass

        written = []
        self.addCleanup(gc.enable)
        with mock.patch.object(sys, "stdout", Tee()) as tee:
            microgpt.main([str(KOREAN_NAMES), *SHORT])
            # only CPython frees graphs without a collector
            self.assertEqual(gc.isenabled(), sys.implementation.name != "cpython")
            self.assertRaises(SystemExit, microgpt.main, ["no such file"])
            self.assertIs(sys.stdout, tee)
        self.assertIn("sample  2: ", "".join(written))
        with mock.patch.object(sys, "stdout", None):
            microgpt.main([str(KOREAN_NAMES), *SHORT])

    def test_may_have_an_older_python_which_is_told_so(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        ast.parse(source, feature_version=(3, 7))
        code = f"import sys; sys.version_info = (3, 8, 18); exec({source!r})"
        done = process(code=code)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr, rb"\A[^\r\n]*Python 3\.9 or later\r?\n\Z")

    def test_is_not_touched_by_an_import(self):
        """Importing opens no file but Python's own and no connection; no draw is a global one."""
        done = process(code=WATCHED)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, b"unchanged"), done.stderr)

    @unittest.skipIf(sys.flags.optimize > 1, "there are no docstrings")
    def test_shows_what_the_examples_in_the_docstrings_show(self):
        result = doctest.testmod(microgpt)
        self.assertGreater(result.attempted, 0)
        self.assertEqual(result.failed, 0)


WATCHED = """
import contextlib, io, os, random, sys
def hook(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".pyd")):
        os._exit(1)
    if event.startswith("socket."):
        os._exit(2)
state = random.getstate()
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import microgpt
with contextlib.redirect_stdout(io.StringIO()):
    microgpt.run(["a", "b", "c", "d", "e"], microgpt.Settings(num_steps=2, seed=1))
assert random.getstate() == state
print("unchanged")
"""


class Interruptions(CommandLine):
    def start(self, *args, code=None, **kwargs):
        """Start the program, or some code; after 9 seconds its output ends, as it is killed."""
        if os.name != "nt":  # a shell in the background may have it ignore Ctrl-C
            kwargs["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        command = [sys.executable, *([PROGRAM] if code is None else ["-c", code]), *args]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, **{**pipes, **kwargs})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        watchdog = threading.Timer(9, process.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        return process

    def test_by_a_reader_that_leaves(self):
        process = self.start(KOREAN_NAMES)
        self.assertEqual(process.stdout.readline().strip(), b"num docs: 263")
        process.stdout.close()
        self.assertEqual((process.stderr.read(), process.wait()), (b"", 1))

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_by_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            process = self.start(KOREAN_NAMES, "--num_steps=0", "--num_samples=0", stdout=full)
            message = process.stderr.read()
            self.assertRegex(message, rb"\Amicrogpt\.py: error: .*No space left on device\n\Z")
            self.assertEqual(process.wait(), 1)

    @unittest.skipIf(os.name == "nt", "Windows has no signals")
    def test_by_ctrl_c(self):
        """While it trains, and while it waits for standard input."""
        process = self.start(KOREAN_NAMES, "--num_steps=9999999")
        self.assertIn(b"| loss ", process.stdout.read(100))
        process.send_signal(signal.SIGINT)
        self.assertEqual((process.stderr.read(), process.wait()), (b"\n", 130))
        process = self.start(
            code=f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import microgpt
read_docs = microgpt.read_docs
microgpt.read_docs = lambda path: print("now", flush=True) or read_docs(path)
microgpt.main(["-"])
"""
        )
        self.assertEqual(process.stdout.readline(), b"now\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual((process.stderr.read(), process.wait()), (b"\n", 130))

    def test_find_each_line_written_out_before_the_next_is_computed(self):
        out, seen, words = io.BytesIO(), [], (b"params", b"\r", b"inference", b"sample")

        def watched(function):
            def wrapper(*args):
                seen.append([out.getvalue().count(word) for word in words])
                return function(*args)

            return wrapper

        functions = {f.__name__: watched(f) for f in (microgpt.document_loss, microgpt.sample)}
        settings = Settings(num_steps=3, num_samples=3)
        stdout = mock.patch.object(sys, "stdout", io.TextIOWrapper(out))
        with mock.patch.multiple(microgpt, **functions), stdout:
            microgpt.run(["ab"], settings)
        training = [[1, step, 0, 0] for step in range(3)]
        self.assertEqual(seen, training + [[1, 3, 1, i] for i in range(3)])
