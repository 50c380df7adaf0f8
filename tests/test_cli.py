"""Does the command work for everybody, wherever it runs, and say in one line what is wrong?"""

import contextlib
import doctest
import gc
import io
import os
import runpy
import signal
import subprocess
import sys
import threading
import unicodedata
import unittest
from dataclasses import fields
from pathlib import Path
from unittest import mock

import microgpt
from microgpt import Settings
from tests import KOREAN_NAMES, PROGRAM, ROOT, SHORT, SOURCE, InFolder, call, python
from tests.naive import NaiveProgram

MEMORY = "/proc/self/mem"  # it opens, but cannot be read
OUT_OF_RANGE = {
    "n_layer": ("-1", "1.5", "x", ""),
    "n_embd": ("0", "18", "1e2"),
    "block_size": ("0", "inf"),
    "n_head": ("0", "3", "32"),
    "num_steps": ("-1", "1.0"),
    "lr": ("0", "-0.1", "nan", "inf", "-inf", "x", "1e-400"),
    "temperature": ("0", "-1", "nan", "inf", "1e-310"),
    "num_samples": ("-1", "all"),
    "seed": ("1.5",),
}


class BadInput(InFolder):
    def assertFails(self, result, *words):
        """Exit code 1 and nothing but one line, with the words in it; or 2, after the usage."""
        code, out, err = result
        usage, program, message = err.rpartition("microgpt.py: error: ")
        self.assertEqual((out, bool(program), message.count("\n")), ("", True, 1), err)
        self.assertEqual(code, 2 if usage else 1)
        self.assertRegex(usage, r"\A(usage: microgpt\.py (?s:.*)\n)?\Z")
        for word in words:
            self.assertIn(word, message)

    def test_is_refused_before_any_work(self):
        os.mkdir("folder")
        docs = self.file("가가b\n".encode())
        prompt = (docs, "--block_size=4", "--prompt")
        for arguments, *words in (
            (["no such.txt"], "'no such.txt'", "No such file"),
            (["folder"], "'folder'"),
            *[([MEMORY], repr(MEMORY), "Input/output error")] * os.path.exists(MEMORY),
            ([""], "''"),
            (["no\nsuch\x1b\udcff.txt"], r"no\nsuch\x1b\udcff.txt"),
            ([self.file(b" \n\r\n\t\n", "line\nend.txt")], r"line\nend.txt", "no documents"),
            (["-"], "'-'", "no documents"),
            ([self.file("anna\nzoë\n".encode("latin-1"), "latin.txt")], "line 2 is not UTF-8"),
            ([*prompt, "Kb"], "the character 'K'"),
            ([*prompt, "bK"], "the character 'K'"),
            ([*prompt, "bbbb"], "shorter than block_size, 4"),
            ([docs, "--temperature=0"], "temperature must be finite and >= 1e-300, not 0.0\n"),
            ([docs, "--temperature=inf"], "temperature must be finite and >= 1e-300, not inf\n"),
            ([docs, "--lr=-0.1"], "lr must be finite and >= 1e-300, not -0.1\n"),
            ([docs, "--n_head=0"], "n_head must be finite and >= 1, not 0\n"),
            ([docs, "--n_head=3"], "n_embd (16) must be a multiple of n_head (3)"),
            ([docs, "--num_samples=-1"], "num_samples must be finite and >= 0, not -1\n"),
            ([docs, "--n_heads=4"], "--n_heads"),
            ([docs, "--n_he=4"], "--n_he"),
            ([docs, "b.txt"], "b.txt"),
            ([docs, "--seed"], "--seed"),
            *[([docs, f"--{name}={n}"], name) for name in OUT_OF_RANGE for n in OUT_OF_RANGE[name]],
        ):
            with self.subTest(arguments=arguments):
                self.assertFails(call(*arguments, stdin=b"\n"), *words)
        os.rename("folder", "input.txt")
        self.assertFails(call(), "'input.txt'")

    def test_may_lead_to_divergence_which_is_told_in_one_line(self):
        for options, words in (
            ("--lr=1e300", "training diverged after step 2"),
            ("--lr=100", "training diverged after step "),  # a probability of 0
            ("--lr=1e150 --n_layer=0", "training diverged after step "),
            ("--lr=1e300 --num_steps=1", "training diverged: the logits"),  # seen when sampling
        ):
            code, out, err = call(KOREAN_NAMES, *options.split())
            self.assertEqual(code, 1)
            self.assertRegex(err, rf"\A.*: error: {words}[^\n]*\n\Z")
            self.assertNotIn("nan", out)


def run_source(filename, *argv, **namespace):
    """Run the source as a host does that read it under this name; what it prints."""
    code = compile(SOURCE.replace("] = 1000", "] = 2"), filename, "exec")
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out, mock.patch("sys.argv", [*argv]):
            exec(code, {"__name__": "__main__", **namespace})
    finally:
        gc.enable()  # which main() leaves disabled
    return out.getvalue()


class Input(InFolder):
    def test_may_be_a_file_with_long_documents_which_is_warned_about(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        code, out, err = call(path, *SHORT, "--block_size=3")
        self.assertEqual((code, err.count("\n")), (0, 1))
        self.assertRegex(err, "warning: 3 of 5 documents .* one line per document, .* --block_size")
        self.assertIn("sample  2: ", out)
        self.assertEqual(call(path, *SHORT, "--block_size=6")[::2], (0, ""))

    def test_may_be_standard_input(self):
        data = unicodedata.normalize("NFD", KOREAN_NAMES.read_text(encoding="utf-8"))
        data = b"\xef\xbb\xbf" + data.replace("\n", "\r\n").encode()
        self.assertEqual(call("-", *SHORT, stdin=data), call(KOREAN_NAMES, *SHORT))

    def test_is_by_default_the_nearest_input_txt(self):
        """The one of the current folder, else the one beside the script, whatever links to that."""
        self.file(b"ab\nba\n", "input.txt")
        os.mkdir("empty")
        os.chdir("empty")
        link = Path("link.py")
        with contextlib.suppress(OSError):  # Windows may not allow it
            link.symlink_to(PROGRAM)
        done = python(link if link.exists() else PROGRAM, "--num_steps=0", "--num_samples=0")
        self.assertEqual((done.stdout[:15], done.stderr), (b"num docs: 32033", b""))
        no_network = mock.patch("urllib.request.urlopen", side_effect=OSError("no network"))
        quiet = contextlib.redirect_stderr(io.StringIO())
        for namespace in ({}, {"__file__": "<stdin>"}):  # that of the parent folder is not for us
            with quiet, no_network, self.assertRaisesRegex(SystemExit, "failed: no network"):
                run_source("<stdin>", "", **namespace)
        gone = mock.patch("os.path.realpath", side_effect=FileNotFoundError("no folder"))
        with gone, self.assertRaisesRegex(SystemExit, "failed: no folder"):
            run_source("<stdin>", "")
        self.file(b"a\nb\nc\n", Path("empty", "input.txt"))
        for done in (python(PROGRAM, *SHORT), python("-", *SHORT, stdin=SOURCE.encode())):
            self.assertEqual((done.stdout[:12], done.stderr), (b"num docs: 3\n", b""))

    def test_may_need_more_depth_than_recursion_has(self):
        names = self.file(b"ab" * 200 + b"\n")
        for option in ("--n_layer=32", "--block_size=256"):
            code, out, err = call(names, option, "--n_embd=4", "--num_steps=1", "--num_samples=0")
            self.assertEqual(code, 0, err)
            self.assertIn("step    1 /    1 | loss 1.", out)


class Options(InFolder):
    def test_all_have_an_effect(self):
        """The prompt, too: it is measured in composed characters, as the dataset is."""
        path = self.file("\u1100\u1161\u1100\u1161b\nb\n".encode())  # decomposed: two syllables
        numbers = (2, 3, 8, 3, 3, 0.2, 3.0, 21, 7)
        settings = dict(zip([f.name for f in fields(Settings)], numbers))
        written = []
        NaiveProgram(["가가b", "b"], **settings).run(written.append, "가")
        options = [f"--{name}={number}" for name, number in settings.items()]
        done = call(path, *options, "--prompt=\u1100\u1161")
        self.assertEqual(done, (0, "".join(written), ""))

    def test_are_told_by_help_and_version(self):
        code, text, err = call("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        words = " ".join(text.split())
        for f in fields(Settings):
            self.assertRegex(words, rf"--{f.name} N \w[^()]+ \(default: {f.default}\)")
        self.assertRegex(words, r"\[--prompt TEXT\] .*\[DATASET\] .* DATASET a .* --prompt TEXT \w")
        self.assertIn(microgpt.__doc__ or "", text)
        self.assertEqual(call("--version"), (0, f"microgpt.py {microgpt.__version__}\n", ""))


class AnyMachine(InFolder):
    def test_may_have_any_locale(self):
        expected = call(KOREAN_NAMES, *SHORT)[1].replace("\n", os.linesep)
        for encoding in ("ascii", "euc-kr"):
            env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
            env = {**env, "PYTHONIOENCODING": encoding}
            done = python(PROGRAM, KOREAN_NAMES, *SHORT, env=env)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(done.stdout, expected.encode(encoding, "backslashreplace"))

    def test_may_run_it_in_a_notebook_or_at_a_prompt(self):
        """Arguments count only where the program is the one that sys.argv names."""
        self.file(b"ab\nba\n", "input.txt")
        self.file(b"a\n", "my.txt")
        ours, hosts = b"num docs: 1", b"num docs: 2"
        cell, launcher = "/tmp/ipykernel_7/8.py", "/lib/ipykernel_launcher.py"
        for expected, filename, *argv in (
            (ours, "microgpt.py", "microgpt.py", "my.txt"),  # python, ipython, %run, a profiler
            (ours, "/home/me/microgpt.py", "./microgpt.py", "my.txt"),
            (ours, "/home/me/my copy.py", "my copy.py", "my.txt"),
            (ours, "/lib/microgpt.py", "/bin/microgpt.exe", "my.txt"),
            (ours, "<stdin>", "-", "my.txt"),
            (hosts, "<stdin>", ""),
            (hosts, "<python-input-0>", ""),
            (hosts, "<string>", "-c", "my.txt"),
            (hosts, cell, launcher, "-f", "kernel.json"),
            (hosts, cell, launcher, "--f=kernel.json"),
            (hosts, cell, "/lib/spyder_kernels/console/__main__.py", "-f", "kernel.json"),
            (hosts, cell, "/bin/ipython", "kernel", "-f", "kernel.json"),
            (hosts, cell, "-c", "-f", "kernel.json"),
            (hosts, "<ipython-input-1-0>", "/bin/ipython", "--simple-prompt"),
            (hosts, "<string>", "other.py", "my.txt"),  # pasted after %run other.py my.txt
        ):
            with self.subTest(filename=filename, argv=argv):
                out = run_source(filename, *argv, __file__="/lib/other.py")
                self.assertEqual(out[:11].encode(), expected)

    def test_may_have_another_main_module(self):
        """As a profiler has, or whatever executes the source in a dictionary."""
        docs = self.file(b"ab\nba\n")
        for module in ("cProfile", "profile", "trace --count --coverdir=."):
            done = python("-m", *module.split(), PROGRAM, docs, *SHORT)
            self.assertEqual((done.returncode, done.stderr), (0, b""), module)
            self.assertIn(b"\nsample  2: ", done.stdout)
        self.addCleanup(gc.enable)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for namespace in ({}, {"__name__": "of no module"}, runpy.run_path(PROGRAM)):
                if "main" not in namespace:
                    exec(SOURCE, namespace)
                namespace["main"]([str(docs), *SHORT])
        self.assertEqual(out.getvalue().count("\nsample  2: "), 3)

    def test_may_have_a_standard_output_that_is_no_file(self):
        class Tee:
            def write(self, text):
                written.append(text)

            def flush(self):
                pass

        written = []
        self.addCleanup(gc.enable)
        with mock.patch.object(sys, "stdout", Tee()):
            microgpt.main([str(KOREAN_NAMES), *SHORT])
            # only CPython frees graphs without a collector
            self.assertEqual(gc.isenabled(), sys.implementation.name != "cpython")
        self.assertIn("sample  2: ", "".join(written))

    def test_is_left_as_it_was_by_an_import(self):
        """It opens no file but Python's own and no connection; no draw is a global one."""
        done = python("-c", WATCHED)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    @unittest.skipIf(sys.flags.optimize > 1, "there are no docstrings")
    def test_shows_what_the_examples_in_the_docstrings_show(self):
        result = doctest.testmod(microgpt)
        self.assertGreater(result.attempted, 0)
        self.assertEqual(result.failed, 0)


WATCHED = """
import gc, random, sys
def hook(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".pyd")):
        raise RuntimeError(f"it opens {args[0]}")
    if event.startswith("socket."):
        raise RuntimeError(event)
state = random.getstate()
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import microgpt
assert gc.isenabled(), "the collector is off"
microgpt.run(["a", "b", "c", "d", "e"], microgpt.Settings(num_steps=2, seed=1))
assert random.getstate() == state, "a draw was a global one"
"""


class Interruptions(unittest.TestCase):
    def start(self, *args, code=None, stdout=subprocess.PIPE):
        """Start the program, or some code; after a minute its output ends, as it is killed."""
        kwargs = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.PIPE}
        if os.name != "nt":  # a shell in the background may have it ignore Ctrl-C
            kwargs["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        command = [sys.executable, *([PROGRAM] if code is None else ["-c", code]), *args]
        process = subprocess.Popen(command, cwd=ROOT, **kwargs)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        watchdog = threading.Timer(60, process.kill)
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
        wait = (
            "import microgpt; read_docs = microgpt.read_docs; "
            "microgpt.read_docs = lambda path: print('| loss ', flush=True) or read_docs(path); "
            "microgpt.main(['-'])"
        )
        for program in (self.start(KOREAN_NAMES, "--num_steps=9999999"), self.start(code=wait)):
            while b"| loss " not in program.stdout.readline(100):
                self.assertIsNone(program.poll())
            program.send_signal(signal.SIGINT)
            self.assertEqual((program.stderr.read(), program.wait()), (b"\n", 130))

    def test_find_each_line_written_out_before_the_next_is_computed(self):
        out, seen, words = io.BytesIO(), [], (b"params", b"\r", b"inference", b"sample")

        def watched(function):
            def wrapper(*args):
                seen.append([out.getvalue().count(word) for word in words])
                return function(*args)

            return wrapper

        functions = {f.__name__: watched(f) for f in (microgpt.document_loss, microgpt.sample)}
        stdout = mock.patch.object(sys, "stdout", io.TextIOWrapper(out))
        with mock.patch.multiple(microgpt, **functions), stdout:
            microgpt.run(["ab"], Settings(num_steps=3, num_samples=3))
        training = [[1, step, 0, 0] for step in range(3)]
        self.assertEqual(seen, training + [[1, 3, 1, i] for i in range(3)])
