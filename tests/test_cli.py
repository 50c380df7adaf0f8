"""Does the program work in any folder, locale, pipe and terminal, and end cleanly in each?

In processes of its own, in pseudo-terminals, and with main() called as a notebook would.
"""

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import unicodedata
import unittest
from unittest import mock

import microgpt
from tests import KOREAN_NAMES, PROGRAM, ROOT, InFolder, run

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError:  # Windows
    pty = None

SHORT = ("--num_steps", "5", "--num_samples", "5")
POSIX = unittest.skipIf(os.name == "nt", "signals and shells are another matter there")


class Text(InFolder):
    def test_standard_input(self):
        data = KOREAN_NAMES.read_bytes()
        self.assertEqual(run("-", *SHORT, input=data).stdout, run(KOREAN_NAMES, *SHORT).stdout)

    def test_locales(self):
        expected = run(KOREAN_NAMES, *SHORT, env={"PYTHONIOENCODING": "utf-8"}).stdout.decode()
        self.assertRegex(expected, "sample  1: [가-힣]+\n")
        for env in (
            {"LC_ALL": "C.UTF-8"},
            {"LC_ALL": "C"},
            {"LC_ALL": "C", "PYTHONUTF8": "1"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"},
            {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
            {"PYTHONIOENCODING": "latin-1", "LC_ALL": "tr_TR.ISO-8859-9"},
            {"PYTHONIOENCODING": "cp949"},
        ):
            with self.subTest(env):
                encoding = run(code="import sys; print(sys.stdout.encoding)", env=env).stdout
                output = expected.encode(encoding.decode().strip(), "backslashreplace")
                done = run(KOREAN_NAMES, *SHORT, env=env)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, output, b""))

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


class Folders(InFolder):
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

    def test_through_a_symbolic_link(self):
        link = self.folder / "gpt"
        try:
            link.symlink_to(PROGRAM)
        except OSError:
            self.skipTest("there are no links here")
        start = "import runpy, sys; sys.argv[:1] = []; runpy.run_path('gpt', run_name='__main__')"
        done = run("gpt", *SHORT, code=start, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(os.listdir(self.folder), ["gpt"])

    def test_as_an_installed_command(self):
        code = "import sys; sys.argv[0] = 'microgpt'; from microgpt import main; sys.exit(main())"
        for args, status, output in (
            ([KOREAN_NAMES, *SHORT], 0, run(KOREAN_NAMES, *SHORT).stdout),
            (["no such file"], 1, b""),
            (["--lr", "x"], 2, b""),
        ):
            done = run(*args, code=code, cwd=self.folder)
            self.assertEqual((done.returncode, done.stdout), (status, output))
            self.assertEqual(b"microgpt: error: " in done.stderr, status > 0)

    def test_depth_is_not_bounded_by_recursion(self):
        names = self.folder / "names.txt"
        names.write_text("ab" * 200 + "\n", encoding="utf-8")
        for option in ("--n_layer=32", "--block_size=256"):
            done = run(names, option, "--n_embd=4", "--num_steps=1", "--num_samples=1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"step    1 /    1 | loss 1.", done.stdout)


class Ends(InFolder):
    def test_closed_pipe(self):
        process = self.start(KOREAN_NAMES)
        self.assertEqual(process.stdout.readline(), b"num docs: 263\n")
        process.stdout.close()
        self.assertEqual((process.stderr.read(), process.wait()), (b"", 1))

    def test_pipe_closed_before_the_first_byte(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = self.start(KOREAN_NAMES, "--num_steps", "0", "--num_samples", "0", stdout=writer)
        os.close(writer)
        self.assertEqual((process.stderr.read(), process.wait()), (b"", 1))

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            process = self.start(KOREAN_NAMES, stdout=full)
            message = b"microgpt.py: error: [Errno 28] No space left on device\n"
            self.assertEqual((process.stderr.read(), process.wait()), (message, 1))

    @POSIX
    def test_closed_standard_output_and_error(self):
        options = "--block_size 2 --num_steps 2"
        script = f'"{sys.executable}" "{PROGRAM}" "{KOREAN_NAMES}" {options}'
        whole = subprocess.run(script, shell=True, stdout=-1, stderr=-1)
        self.assertIn(b"warning", whole.stderr)
        for closed, out, err in (
            (">&-", b"", whole.stderr),
            ("2>&-", whole.stdout, b""),
            (">&- 2>&-", b"", b""),
        ):
            done = subprocess.run(f"{script} {closed}", shell=True, stdout=-1, stderr=-1)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, out, err), closed)
        script = f'"{sys.executable}" "{PROGRAM}" --n_head 0 2>&-'
        self.assertEqual(subprocess.run(script, shell=True).returncode, 2)

    @POSIX
    def test_interrupt(self):
        process = self.start(KOREAN_NAMES, "--num_steps", "100000")
        while b"\r" not in process.stdout.read1(4096):
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60)[1], b"")
        self.assertEqual(process.returncode, 130)

    @POSIX
    def test_each_line_can_be_read_at_once(self):
        """Steps and samples: a program that reads them sees each before the next is made."""
        script = """
import os, sys
import microgpt
def held_up(function):
    def wrapper(*args):
        assert os.read(int(sys.argv[1]), 1)
        return function(*args)
    return wrapper
microgpt.train_step = held_up(microgpt.train_step)
microgpt.sample = held_up(microgpt.sample)
microgpt.main([sys.argv[2], "--num_steps", "3", "--num_samples", "3"])
"""
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        process = self.start(reader, KOREAN_NAMES, code=script, cwd=ROOT, pass_fds=[reader])
        os.close(reader)
        out = b""
        for end in (b"step    1 /    3", b"step    2", b"step    3", b"  1: ", b"  2: ", b"  3: "):
            os.write(writer, b"x")  # one more step, or sample
            while end not in out:
                out += process.stdout.read1(1 << 16)
        self.assertEqual(out.count(b"sample"), 3)

    @POSIX
    def test_interrupt_while_waiting_for_standard_input(self):
        script = """
import sys
import microgpt
read_docs = microgpt.read_docs
microgpt.read_docs = lambda path: print("now", flush=True) or read_docs(path)
microgpt.main(["-"])
"""
        process = self.start(code=script, cwd=ROOT, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline().split(), [b"now"])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130)
        self.assertEqual(process.communicate()[1], b"")


class InAProcessOfSomebodyElse(InFolder):
    """main() in a notebook or a script: it works, again and again, and leaves all as it was."""

    def descriptors(self):
        found = {}
        for fd in range(20):
            with contextlib.suppress(OSError):
                found[fd] = os.fstat(fd)[:3]
        return found

    def test_output_goes_to_a_string_as_it_goes_to_a_pipe(self):
        expected = run(KOREAN_NAMES, *SHORT, env={"PYTHONIOENCODING": "utf-8"}).stdout.decode()
        for _ in range(2):
            out = io.StringIO()
            before = self.descriptors(), gc.isenabled(), sys.stderr
            with contextlib.redirect_stdout(out):
                self.assertIsNone(microgpt.main([str(KOREAN_NAMES), *SHORT]))
                self.assertIs(sys.stdout, out)
            self.assertEqual(out.getvalue(), expected)
            self.assertEqual((self.descriptors(), gc.isenabled(), sys.stderr), before)

    def test_the_collector_rests_during_the_run(self):
        """On CPython only: elsewhere it is what frees a graph."""
        seen = []
        with mock.patch.object(microgpt, "run", lambda *args: seen.append(gc.isenabled())):
            microgpt.main([str(KOREAN_NAMES)])
        self.assertEqual((seen, gc.isenabled()), ([sys.implementation.name != "cpython"], True))

    SCRIPT = """
import gc, os, sys
import microgpt
def state():
    files = [os.fstat(fd)[:3] for fd in range(3)]
    return sys.stdout, sys.stdout.errors, sys.stdout.encoding, sys.stderr, gc.isenabled(), files
print("first")
before = state()
for arguments in (
    [sys.argv[1], "--num_steps", "2", "--num_samples", "2"],
    ["-", "--num_steps", "0", "--num_samples", "1", "--n_embd", "4"],
    ["no such file"],
    ["--lr", "x"],
    [sys.argv[1], "--lr", "1e300"],
):
    try:
        microgpt.main(arguments)
    except SystemExit as stop:
        print(f"exit {stop.code}")
    assert state() == before, arguments
assert sys.stdin.read() == ""  # it is at its end, and open
print("last")
"""

    def test_real_standard_streams_are_left_as_they_were(self):
        done = run(KOREAN_NAMES, code=self.SCRIPT, input=b"a\nb\n")
        self.assertNotIn(b"Traceback", done.stderr)
        lines = done.stdout.decode().splitlines()
        self.assertEqual((lines[0], lines[1], lines[-1]), ("first", "num docs: 263", "last"))
        self.assertEqual([x for x in lines if "exit" in x], ["exit 1", "exit 2", "exit 1"])

    def test_a_pipe_that_is_closed_half_way(self):
        script = """
import os, sys
import microgpt
try:
    microgpt.main([sys.argv[1]])
except SystemExit as stop:
    assert stop.code == 1, stop.code
    os.fstat(1)
    sys.exit(7)
"""
        process = self.start(KOREAN_NAMES, code=script, cwd=ROOT)
        process.stdout.read(200)
        process.stdout.close()
        self.assertEqual((process.stderr.read(), process.wait()), (b"", 7))

    def test_the_names_that_a_star_brings(self):
        names = {}
        exec("from microgpt import *", names)
        names.pop("__builtins__")
        self.assertEqual(set(names), set(microgpt.__all__))
        self.assertLess(len(names), 30)
        for name, thing in names.items():
            self.assertNotIsInstance(thing, type(sys), name)


# In the terminal a tenth of a second passes whenever somebody looks at the clock.
TERMINAL = """
import itertools, sys, time
ticks = itertools.count()
time.monotonic = lambda: next(ticks) / 10
sys.argv[0] = "microgpt.py"
from microgpt import main
main()
"""


@unittest.skipIf(pty is None, "there are no pseudo-terminals on this system")
class Terminal(InFolder):
    def run_in_terminal(self, *args, columns=80, interrupt=0, env=None):
        """Run on a pseudo-terminal; its exit code and all that it wrote there."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})}
        env.pop("COLUMNS", None)
        streams = {"stdout": follower, "stderr": follower}
        process = self.start(KOREAN_NAMES, *args, code=TERMINAL, cwd=ROOT, env=env, **streams)
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
            if interrupt and written.count(b"left") >= interrupt:
                process.send_signal(signal.SIGINT)
                interrupt = 0
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
            [part[-12:] for part in status[9:30:10]],
            ["0:00:05 left", "0:00:04 left", "0:00:03 left"],
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
        self.assertEqual((len(shown), shown[0], shown[-1]), (199, "0:00:19", "0:00:00"))

    def test_more_steps_than_there_is_time(self):
        """1e17 of them, and more than a float can count."""
        for num_steps in (10**17, 10**400):
            options = ("--num_steps", str(num_steps))
            code, written = self.run_in_terminal(*options, columns=1000, interrupt=30)
            self.assertEqual(code, 130)
            seconds = (num_steps - 1) // 10  # after the first step, which took a tenth of one
            left = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"
            self.assertTrue(self.status_parts(written)[0].endswith(f" | {left}"))

    def test_narrow_terminal(self):
        for columns in (30, 3):
            _, written = self.run_in_terminal("--num_steps", "60", columns=columns)
            parts = written.split("\n")[3].split("\r")
            self.assertEqual(max(map(len, parts)), columns - 1)

    def test_interrupt(self):
        code, written = self.run_in_terminal("--num_steps", "99999", interrupt=20)
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
