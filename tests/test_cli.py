"""Does the command read what it is given, heed every option, and run wherever Python does?"""

import contextlib
import gc
import io
import os
import sys
import unicodedata
from dataclasses import fields
from pathlib import Path
from unittest import mock

from naive import NaiveProgram
from support import KOREAN_NAMES, PROGRAM, SHORT, SOURCE, InFolder, run_main, run_python

import microgpt
from microgpt import Settings

HELP = ("layers", "embedd", "context", "heads", "steps", "rate", "temperature", "sample", "random")


def run_source(filename, *argv):
    """Run the source under this file name, as a host would; what it prints."""
    code = compile(SOURCE.replace("] = 1000", "] = 2"), filename, "exec")
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out, mock.patch("sys.argv", [*argv]):
            exec(code, {"__name__": "__main__", "__file__": "/lib/other.py"})
    finally:
        gc.enable()  # which main() leaves disabled
    return out.getvalue()


class Input(InFolder):
    def test_may_be_a_file_with_long_documents_which_is_warned_about(self):
        path = self.file(b"a\nbb\nccc\ndddd\neeeee\n")
        with mock.patch.object(microgpt, "run", side_effect=KeyboardInterrupt):  # before the run
            code, out, err = run_main(path, "--block_size=3")
        advice = "use one line per document, or a larger --block_size"
        self.assertEqual(err, f"warning: 3 of 5 documents are cut: {advice}\n\n")
        code, out, err = run_main(path, *SHORT, "--block_size=3")
        self.assertEqual((code, err.count("\n"), out.count("\nsample  2: ")), (0, 1, 1))
        self.assertEqual(run_main(path, *SHORT, "--block_size=6")[::2], (0, ""))

    def test_may_be_standard_input(self):
        data = unicodedata.normalize("NFD", KOREAN_NAMES.read_text(encoding="utf-8"))
        data = b"\xef\xbb\xbf" + data.replace("\n", "\r\n").encode()
        self.assertEqual(run_main("-", *SHORT, stdin=data), run_main(KOREAN_NAMES, *SHORT))

    def test_is_by_default_the_nearest_input_txt(self):
        """The one of the current folder, else the one beside the script, whatever links to that."""
        self.file(b"ab\nba\n", "input.txt")
        os.mkdir("empty")
        os.chdir("empty")
        link = Path("link.py")
        with contextlib.suppress(OSError):  # Windows may not allow it
            link.symlink_to(PROGRAM)
        done = run_python(link if link.exists() else PROGRAM, "--num_steps=0", "--num_samples=0")
        self.assertEqual((done.stdout[:16], done.stderr), (b"num docs: 32033\n", b""))
        no_network = mock.patch("urllib.request.urlopen", side_effect=OSError("no network"))
        quiet = contextlib.redirect_stderr(io.StringIO())
        with quiet, no_network, self.assertRaisesRegex(SystemExit, "failed: no network"):
            run_source("<stdin>", "")  # the parent folder's is not for us
        gone = mock.patch("os.path.realpath", side_effect=FileNotFoundError("no folder"))
        with gone, self.assertRaisesRegex(SystemExit, "failed: no folder"):
            run_source("<stdin>", "")
        Path("input.txt").write_bytes(b"a\nb\nc\n")
        for done in (run_python(PROGRAM, *SHORT), run_python("-", *SHORT, stdin=SOURCE.encode())):
            self.assertEqual((done.stdout[:12], done.stderr), (b"num docs: 3\n", b""))

    def test_may_make_a_deep_graph(self):
        names = self.file(b"ab" * 200 + b"\n")
        for option in ("--n_layer=32", "--block_size=256"):
            code, out, err = run_main(names, option, "--n_embd=4", "--num_steps=1")
            self.assertEqual(code, 0, err)
            self.assertIn("step    1 /    1 | loss 1.", out)


class Options(InFolder):
    def test_all_have_an_effect(self):
        """The prompt, too: it is measured in composed characters, as the dataset is."""
        path = self.file("\u1100\u1161 \u1100\u1161b\nb\n".encode())  # decomposed: two syllables
        numbers = (2, 3, 8, 3, 3, 0.2, 3.0, 21, 7)
        settings = dict(zip([f.name for f in fields(Settings)], numbers))
        written = []
        NaiveProgram(["가 가b", "b"], **settings).run(written.append, " 가")
        options = [f"--{name}={number}" for name, number in settings.items()]
        done = run_main(path, *options, "--prompt= \u1100\u1161")
        self.assertEqual(done, (0, "".join(written), ""))

    def test_are_told_by_help_and_version(self):
        code, text, err = run_main("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        words = " ".join(text.split())
        for f, word in zip(fields(Settings), HELP):
            self.assertRegex(words, rf"--{f.name} N [^()\]]*{word}[^()]* \(default: {f.default}\)")
        self.assertRegex(words, r"\[--prompt TEXT\] .*\[DATASET\] .* DATASET a .* --prompt TEXT \w")
        self.assertIn(microgpt.__doc__ or "", text)
        self.assertEqual(run_main("--version"), (0, f"microgpt.py {microgpt.__version__}\n", ""))

    def test_count_only_where_sys_argv_names_the_program(self):
        """In a notebook, or pasted at a prompt, they are those of another program."""
        self.file(b"ab\nba\n", "input.txt")
        self.file(b"a\n", "my.txt")
        ours, hosts = "num docs: 1\n", "num docs: 2\n"
        cell, launcher = "/tmp/ipykernel_7/8.py", "/lib/ipykernel_launcher.py"
        for expected, filename, *argv in (
            (ours, "microgpt.py", "microgpt.py", "my.txt"),  # python, ipython, %run, a profiler
            (ours, "/lib/microgpt.py", "/bin/microgpt.exe", "my.txt"),
            (ours, "<stdin>", "-", "my.txt"),
            (hosts, "<stdin>", ""),
            (hosts, "<string>", "-c", "my.txt"),
            (hosts, cell, launcher, "-f", "kernel.json"),
            (hosts, cell, "/bin/ipython", "kernel", "-f", "kernel.json"),
            (hosts, "<ipython-input-1-0>", "/bin/ipython", "--simple-prompt"),
            (hosts, "<string>", "other.py", "my.txt"),  # pasted after %run other.py my.txt
        ):
            with self.subTest(filename=filename, argv=argv):
                self.assertEqual(run_source(filename, *argv)[:12], expected)


class AnyHost(InFolder):
    def test_may_have_any_locale(self):
        expected = run_main(KOREAN_NAMES, *SHORT)[1]
        for encoding in ("ascii", "euc-kr"):
            env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
            done = run_python(PROGRAM, KOREAN_NAMES, *SHORT, PYTHONUTF8="0", **env)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(done.stdout, expected.encode(encoding, "backslashreplace"))

    def test_may_have_a_standard_output_that_is_no_file(self):
        self.addCleanup(gc.enable)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            microgpt.main([str(KOREAN_NAMES), *SHORT])
        # only CPython frees graphs without a collector
        self.assertEqual(gc.isenabled(), sys.implementation.name != "cpython")
        self.assertIn("sample  2: ", out.getvalue())
