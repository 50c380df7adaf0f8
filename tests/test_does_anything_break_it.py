"""Do hundreds of random command lines and files ever give a traceback, or touch a file?

MICROGPT_FUZZ_COUNT (400) says how many are tried, MICROGPT_FUZZ_SEED (10) which ones.
"""

import contextlib
import io
import os
import random
import sys
from unittest import mock

import microgpt
from tests import InFolder, run

SEED = int(os.environ.get("MICROGPT_FUZZ_SEED", "10"))
COUNT = int(os.environ.get("MICROGPT_FUZZ_COUNT", "400"))

SMALL = ("--num_steps", "2", "--num_samples", "2", "--n_embd", "4", "--block_size", "3")
VALUES = """
    0 1 2 3 -1 1.5 1e-3 -0.0 nan inf -inf 1e308 1e-320 0x10 1_0 １ true None -- - -x
""".split()
VALUES += ["", " 2 ", "\udcff", "\n", "2" * 5000]


def random_data(rng):
    kind = rng.randrange(24)
    if kind == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    if kind == 1:
        return b"\n" * rng.choice((0, 1, 1_000_000)) + rng.choice((b"", b"a"))
    if kind == 2:
        return "가나다é".encode() * rng.choice((1, 100_000))  # one enormous line
    if kind == 3:
        return rng.choice((b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf")) + b"a\nb\n"
    if kind == 4:
        return "".join(chr(rng.randrange(1, 0xD800)) for _ in range(50)).encode()
    if kind == 5:
        return bytes(rng.choice(b"\r\n\t \x0b\x0c\x1c\x85") for _ in range(50))
    if kind == 6:
        return "\n".join(chr(rng.randrange(0x10000, 0x110000)) for _ in range(50)).encode()
    alphabet = rng.choice(
        ("a", "ab", "abcdefghij", "각\u1100\u1161e\u0301\u200b\ufeff", "\x00\x1b[2J")
    )
    words = ("".join(rng.choice(alphabet) for _ in range(rng.randrange(9))) for _ in range(20))
    return rng.choice(("\n", "\r\n", "\r")).join(words).encode()


def random_arguments(rng, path):
    dataset = path if rng.random() < 0.8 else rng.choice(("-", "", "nowhere", os.curdir, "\udcff"))
    arguments = [*SMALL, *([str(dataset)] if rng.random() < 0.97 else [])]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        if rng.random() < 0.3:
            arguments += ["--lr", rng.choice(("1e300", "1e160", "30", "1e-300"))]
        else:
            name = rng.choice([*vars(microgpt.Settings()), "help", "version", "n_heads", "x"])
            value = rng.choice(VALUES)
            arguments += [f"--{name}={value}"] if rng.random() < 0.5 else [f"--{name}", value]
    if rng.random() < 0.1:
        rng.shuffle(arguments)
    return arguments


class Anything(InFolder):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "input.txt"

    @contextlib.contextmanager
    def case(self, rng):
        """A random command line, and input.txt; and a look whether the folder stays as it was."""
        data, arguments = random_data(rng), random_arguments(rng, self.path)
        self.path.write_bytes(data)
        with self.subTest(data=data[:60], arguments=arguments):
            yield arguments
            self.assertEqual(os.listdir(self.path.parent), [self.path.name])
            self.assertEqual(self.path.read_bytes(), data)

    def test_in_this_process(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.path.parent)
        trained = 0
        rng = random.Random(SEED)
        for _ in range(COUNT):
            with self.case(rng) as arguments:
                out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
                err.reconfigure(errors="backslashreplace")
                code = 0
                streams = mock.patch.multiple(sys, stdout=out, stderr=err)
                stdin = mock.patch.object(microgpt, "open", open_no_stdin, create=True)
                with streams, stdin:
                    try:
                        microgpt.main(arguments)
                    except SystemExit as stop:
                        code = stop.code or 0
                self.assertIn(code, (0, 1, 2))
                err.flush()
                out.flush()
                self.assertEqual(code != 0, b" error: " in err.buffer.getvalue())
                trained += b"--- inference" in out.buffer.getvalue()
        self.assertGreater(trained, 0.4 * COUNT)

    def test_as_a_program(self):
        rng = random.Random(SEED + 1)
        for _ in range(COUNT // 20):
            with self.case(rng) as arguments:
                done = run(*arguments, cwd=self.path.parent, input=b"a\nb\n")
                self.assertIn(done.returncode, (0, 1, 2))
                self.assertNotIn(b"Traceback", done.stderr)
                self.assertEqual(done.returncode != 0, b" error: " in done.stderr)


def open_no_stdin(path, mode, **kwargs):
    """open(), but that standard input is not the one of the tests."""
    return io.BytesIO(b"a\nb\n") if path == 0 else open(path, mode, **kwargs)
