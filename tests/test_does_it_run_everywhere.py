"""Does the program work in any folder, locale, pipe and terminal, and end cleanly in each?"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
import unittest
from pathlib import Path

from tests import KOREAN_NAMES, PROGRAM, ROOT, run

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError:  # Windows
    pty = None

# A shell that runs the tests in the background has its jobs ignore Ctrl-C.
HEED_INTERRUPTS = {
    "preexec_fn": None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
}

SHORT = ("--num_steps", "5", "--num_samples", "5")


class Everywhere(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, *args, **kwargs):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *map(str, args)],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **HEED_INTERRUPTS, **kwargs},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process


class Text(Everywhere):
    def test_standard_input(self):
        data = KOREAN_NAMES.read_bytes()
        self.assertEqual(run("-", *SHORT, input=data).stdout, run(KOREAN_NAMES, *SHORT).stdout)

    def test_locales(self):
        expected = run(KOREAN_NAMES, *SHORT, env={"PYTHONIOENCODING": "utf-8"}).stdout
        self.assertRegex(expected.decode("utf-8"), "sample  1: [가-힣]+\n")
        escaped = expected.decode("utf-8").encode("ascii", "backslashreplace")
        for env, output in (
            ({"LC_ALL": "C.UTF-8"}, expected),
            ({"LC_ALL": "C", "PYTHONUTF8": "1"}, expected),
            ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"}, expected),
            ({"PYTHONIOENCODING": "ascii"}, escaped),
            ({"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}, escaped),
            ({"PYTHONIOENCODING": "latin-1", "LC_ALL": "tr_TR.ISO-8859-9"}, escaped),
            ({"PYTHONIOENCODING": "cp949"}, expected.decode("utf-8").encode("cp949")),
        ):
            with self.subTest(env):
                done = run(KOREAN_NAMES, *SHORT, env=env)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, output, b""))
        for env in (
            {"LC_ALL": "C"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ):
            done = run(KOREAN_NAMES, *SHORT, env=env)
            self.assertIn(done.stdout, (expected, escaped))
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_files_of_every_system_give_the_same_bytes(self):
        text = KOREAN_NAMES.read_text(encoding="utf-8")
        expected = run(KOREAN_NAMES, *SHORT).stdout
        for data in (
            unicodedata.normalize("NFD", text).encode(),  # as a Mac writes Hangul
            b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),  # as Excel saves it
            text.replace("\n", " \n\n\t").encode(),
            text.rstrip("\n").encode(),
        ):
            path = self.folder / "names.txt"
            path.write_bytes(data)
            self.assertEqual(run(path, *SHORT).stdout, expected)


class Folders(Everywhere):
    def test_input_txt_of_the_current_folder_comes_first(self):
        (self.folder / "input.txt").write_text("ab\nba\n", encoding="utf-8")
        here = run(*SHORT, cwd=self.folder).stdout
        self.assertTrue(here.startswith(b"num docs: 2\nvocab size: 3\n"))

    def test_then_the_one_beside_the_script(self):
        count = len((ROOT / "input.txt").read_bytes().splitlines())
        done = run(*SHORT, cwd=self.folder)
        self.assertTrue(done.stdout.startswith(f"num docs: {count}\nvocab size: 27\n".encode()))
        self.assertEqual(done.stderr, b"")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_as_an_installed_command(self):
        site = self.folder / "site"
        site.mkdir()
        shutil.copy(PROGRAM, site)
        command = (
            "import sys; sys.argv[0] = 'microgpt'; from microgpt import main; sys.exit(main())"
        )
        for args, code, output in (
            ([KOREAN_NAMES, *SHORT], 0, run(KOREAN_NAMES, *SHORT).stdout),
            (["no such file"], 1, b""),
            (["--lr", "x"], 2, b""),
        ):
            done = subprocess.run(
                [sys.executable, "-c", command, *map(str, args)],
                env={**os.environ, "PYTHONPATH": str(site)},
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self.assertEqual((done.returncode, done.stdout), (code, output))
            if code:
                self.assertIn(b"microgpt: error: ", done.stderr)

    def test_depth_is_not_bounded_by_recursion(self):
        names = self.folder / "names.txt"
        names.write_text("ab" * 200 + "\n", encoding="utf-8")
        for options in (
            ("--n_layer", "32", "--n_embd", "4"),
            ("--block_size", "256", "--n_embd", "4"),
        ):
            done = run(names, *options, "--num_steps", "1", "--num_samples", "1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"step    1 /    1 | loss 1.", done.stdout)


class Ends(Everywhere):
    def test_closed_pipe(self):
        process = self.start(KOREAN_NAMES)
        self.assertEqual(process.stdout.readline(), b"num docs: 263\n")
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 1)

    def test_pipe_closed_before_the_first_byte(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = self.start(KOREAN_NAMES, "--num_steps", "0", "--num_samples", "0", stdout=writer)
        os.close(writer)
        self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 1)

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            process = self.start(KOREAN_NAMES, stdout=full)
            self.assertEqual(
                process.stderr.read(),
                b"microgpt.py: error: standard output: No space left on device\n",
            )
            self.assertEqual(process.wait(), 1)

    @unittest.skipIf(os.name == "nt", "a POSIX shell's way to close standard output")
    def test_closed_standard_output_and_error(self):
        for closed in (">&-", "2>&-", ">&- 2>&-"):
            script = f'"{sys.executable}" "{PROGRAM}" "{KOREAN_NAMES}" --block_size 2 --num_steps 2'
            done = subprocess.run(f"{script} {closed}", shell=True, stdout=-1, stderr=-1)
            self.assertEqual(done.returncode, 0)
            self.assertNotIn(b"Traceback", done.stderr)
            self.assertNotIn(b"warning", done.stdout)

    @unittest.skipIf(os.name == "nt", "signals are another matter there")
    def test_interrupt(self):
        process = self.start(KOREAN_NAMES, "--num_steps", "100000")
        while b"\r" not in process.stdout.read1(4096):
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60)[1], b"")
        self.assertEqual(process.returncode, 130)

    def test_each_step_can_be_read_at_once(self):
        process = self.start(KOREAN_NAMES)
        out = process.stdout.read1(1 << 16)
        while b"\r" not in out:
            out += process.stdout.read1(1 << 16)
        self.assertLess(len(out), 8000)  # a buffer has 8192 bytes

    @unittest.skipIf(os.name == "nt", "signals are another matter there")
    def test_interrupt_while_waiting_for_standard_input(self):
        process = self.start("-", stdin=subprocess.PIPE)
        time.sleep(2)  # until it waits
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130)
        self.assertEqual(process.stderr.read(), b"")


# In the terminal a tenth of a second passes whenever somebody looks at the clock.
TERMINAL = f"""
import itertools, sys, time
ticks = itertools.count()
time.monotonic = lambda: next(ticks) / 10
sys.path.insert(0, {str(ROOT)!r})
sys.argv[0] = "microgpt.py"
from microgpt import main
main()
"""


@unittest.skipIf(pty is None, "there are no pseudo-terminals on this system")
class Terminal(Everywhere):
    def run_in_terminal(self, *args, columns=80, interrupt=False, env=None):
        """Run on a pseudo-terminal; its exit code and all that it wrote there."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})}
        env.pop("COLUMNS", None)
        process = subprocess.Popen(
            [sys.executable, "-c", TERMINAL, str(KOREAN_NAMES), *args],
            stdout=follower,
            stderr=follower,
            env=env,
            **HEED_INTERRUPTS,
        )
        self.addCleanup(process.kill)
        os.close(follower)
        written = b""
        while True:
            try:
                data = os.read(leader, 1 << 16)
            except OSError:  # how Linux says that the other end is closed
                break
            if not data:
                break
            written += data
            if interrupt and b"left" in written:
                process.send_signal(signal.SIGINT)
                interrupt = False
        os.close(leader)
        return process.wait(), written.decode("utf-8")

    def status_parts(self, written):
        """The status line, as it was from step to step."""
        return [part.rstrip() for part in written.split("\n")[3].split("\r") if part.strip()]

    def screen(self, written):
        """What can be seen at the end: a carriage return goes back, and what follows covers."""
        lines = []
        for line in written.split("\n"):
            cells, column = [], 0
            for char in line:
                if char == "\r":
                    column = 0
                else:
                    cells[column : column + 1] = char
                    column += 1
            lines.append("".join(cells).rstrip())
        return lines

    def test_status_line(self):
        options = ("--num_steps", "60", "--num_samples", "1")
        code, written = self.run_in_terminal(*options)
        self.assertEqual(code, 0)
        status = self.status_parts(written)
        self.assertEqual(len(status), 60)
        self.assertEqual(
            [part[-12:] for part in status[11:31:10]], ["0:00:05 left", "0:00:04 left"]
        )
        lines = self.screen(written)
        self.assertRegex(lines[3], r"^step   60 /   60 \| loss \d\.\d{4}$")
        self.assertEqual(lines[4], "--- inference (new, hallucinated names) ---")
        # less the time left, it is what goes into a pipe
        piped = run(KOREAN_NAMES, *options).stdout.decode().split("\n")[3].split("\r")
        self.assertEqual([part.split(" | 0:")[0] for part in status], piped[:-1])

    def test_the_time_left_does_not_jump_about(self):
        _, written = self.run_in_terminal("--num_steps", "200", "--num_samples", "0")
        shown = [part[-12:-5] for part in self.status_parts(written) if part.endswith("left")]
        self.assertEqual(shown, sorted(shown, reverse=True))
        self.assertEqual(len(set(shown)), 19)  # of 20 seconds; the first one has no estimate
        self.assertGreaterEqual(min(map(shown.count, set(shown))), 9)

    def test_narrow_terminal(self):
        for columns in (30, 3):
            _, written = self.run_in_terminal("--num_steps", "60", columns=columns)
            parts = written.split("\n")[3].split("\r")
            self.assertLess(max(map(len, parts)), columns)

    def test_interrupt(self):
        code, written = self.run_in_terminal("--num_steps", "99999", interrupt=True)
        self.assertEqual(code, 130)
        self.assertEqual(self.screen(written)[3:], [""])

    def test_divergence(self):
        code, written = self.run_in_terminal("--lr", "1e300")
        self.assertEqual(code, 1)
        error = "microgpt.py: error: training diverged at step 3: the loss is nan"
        self.assertEqual(self.screen(written)[3:], [error, ""])

    def test_characters_that_the_terminal_cannot_show(self):
        code, written = self.run_in_terminal(*SHORT, env={"PYTHONIOENCODING": "ascii"})
        self.assertEqual(code, 0)
        self.assertRegex(written, r"sample  1: (\\u[0-9a-f]{4})+\r\n")
