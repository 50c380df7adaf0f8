"""Does whatever goes wrong end in one line that says so, with the right exit code?"""

import io
import os
import sys
import unittest
from unittest import mock

from support import KOREAN_NAMES, PROGRAM, SHORT, InFolder, run_main, run_python

import microgpt

WRONG_NUMBERS = """n_layer=-1 n_layer=1.5 n_layer=x n_layer= n_embd=0 n_embd=18 n_embd=1e2
    block_size=0 block_size=inf n_head=0 n_head=32 num_steps=-1 num_steps=1.0 lr=0 lr=nan lr=inf
    lr=x lr=1e-400 temperature=-1 temperature=nan temperature=1e-310 num_samples=all seed=1.5"""


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
        for arguments, *words in (
            (["no such.txt"], "'no such.txt'", "No such file"),
            (["folder"], "'folder'"),
            ([""], "''"),
            (["no\nsuch\x1b\udcff.txt"], r"no\nsuch\x1b\udcff.txt"),
            (["-"], "'-': the dataset holds no documents"),
            ([docs, "--prompt=bK"], "the character 'K' does not occur in the dataset"),
            ([docs, "--temperature=0"], "temperature must be finite and >= 1e-300, not 0.0\n"),
            ([docs, "--temperature=inf"], "temperature must be finite and >= 1e-300, not inf\n"),
            ([docs, "--lr=-0.1"], "lr must be finite and >= 1e-300, not -0.1\n"),
            ([docs, "--num_samples=-1"], "num_samples must be finite and >= 0, not -1\n"),
            ([docs, "--n_head=3"], "n_embd (16) must be a multiple of n_head (3)\n"),
            ([docs, "--n_heads=4"], "--n_heads"),
            ([docs, "--n_he=4"], "--n_he"),
            ([docs, "b.txt"], "b.txt"),
            ([docs, "--seed"], "--seed"),
            *[([docs, f"--{wrong}"], wrong.split("=")[0]) for wrong in WRONG_NUMBERS.split()],
        ):
            with self.subTest(arguments=arguments):
                self.assertFails(run_main(*arguments, stdin=b"\n"), *words)
        os.rename("folder", "input.txt")
        self.assertFails(run_main(), "'input.txt'")

    def test_may_be_settings_with_which_training_diverges(self):
        for options, words in (
            ("--lr=1e300", "training diverged after step 2: the loss is not finite"),
            ("--lr=100", "training diverged after step "),  # a probability of 0
            ("--lr=1e150 --n_layer=0", "training diverged after step "),
            ("--lr=1e300 --num_steps=1", "training diverged: the logits are not finite"),
        ):
            code, out, err = run_main(KOREAN_NAMES, *options.split())
            self.assertEqual(code, 1)
            self.assertRegex(err, rf"\A.*: error: {words}[^\n]*\n\Z")
            self.assertNotIn("nan", out)
            self.assertNotIn("sample", out)


class Output(unittest.TestCase):
    def test_may_not_be_writable(self):
        """A full disk is reported; a reader that has gone (EINVAL on Windows) is not."""
        for error, message in (
            (OSError(28, "No space left"), "microgpt.py: error: [Errno 28] No space left\n"),
            (OSError(22, "Invalid argument"), ""),
        ):
            stdout = io.StringIO()
            stdout.write = mock.Mock(side_effect=error)
            self.assertEqual(run_main(KOREAN_NAMES, stdout=stdout), (1, "", message))

    def test_may_have_no_reader(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        self.addCleanup(os.close, write_end)
        done = run_python(PROGRAM, KOREAN_NAMES, *SHORT, stdout=write_end)
        self.assertEqual((done.returncode, done.stderr), (1, b""))

    def test_ends_in_a_new_line_after_ctrl_c(self):
        """While it reads, trains and samples: what it has written stays."""
        counts = r"num docs: 263\nvocab size: 58\nnum params: \d+\n"
        sampling = counts + r"(step    \d /    2 \| loss .{6}\r){2}\n---.*\n"
        for function, out in (("read_docs", ""), ("document_loss", counts), ("sample", sampling)):
            with mock.patch.object(microgpt, function, side_effect=KeyboardInterrupt):
                code, written, err = run_main(KOREAN_NAMES, *SHORT)
            self.assertEqual((code, err), (130, "\n"))
            self.assertRegex(written, rf"\A{out}\Z")

    def test_is_flushed_line_by_line(self):
        """So that a pipe shows it as it is computed: the counts, steps, the heading, samples."""
        stdout = mock.Mock(io.StringIO())
        with mock.patch.object(sys, "stdout", stdout):
            microgpt.run(["ab"], microgpt.Settings(num_steps=3, num_samples=4))
        self.assertEqual(stdout.flush.call_count, 1 + 3 + 1 + 4)
