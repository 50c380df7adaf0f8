"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?"""

import contextlib
import hashlib
import io
import os
import urllib.error
from pathlib import Path
from unittest import mock

from support import InFolder, run_main

import microgpt

DATA = b"anna\nbob\ncarla\n" * 20_000  # a little more than the names have
URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"


class Endless(io.BytesIO):
    def read(self, size):
        return b"a" * size


class Download(InFolder):
    def setUp(self):
        """The program lies in another folder, which has no input.txt either."""
        super().setUp()
        os.mkdir("elsewhere")
        main, code = microgpt.main, microgpt.main.__code__
        self.addCleanup(setattr, main, "__code__", code)
        main.__code__ = code.replace(co_filename=str(Path("elsewhere", "microgpt.py")))
        for patch in (
            mock.patch.object(microgpt, "NAMES_SHA256", hashlib.sha256(DATA).hexdigest()),
            mock.patch("tempfile.tempdir", "on another disk"),  # nothing can be moved from there
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def download(self, answer, body):
        """What main() does when urlopen() returns or raises this: exit code, stdout and stderr."""
        with mock.patch("urllib.request.urlopen", side_effect=[answer]) as urlopen:
            result = run_main("--num_steps=0", "--num_samples=0")
        urlopen.assert_called_once_with(URL, timeout=20)
        self.assertTrue(body.closed)
        return result

    def files(self):
        return sorted(str(path) for path in Path().rglob("*"))

    def test_of_the_right_file(self):
        body = io.BytesIO(DATA)
        code, out, err = self.download(body, body)
        self.assertEqual((code, err.count("\n"), out[:15]), (0, 1, "num docs: 60000"), err)
        self.assertEqual(self.files(), ["elsewhere", "input.txt"])
        self.assertEqual(Path("input.txt").read_bytes(), DATA)
        with mock.patch("urllib.request.urlopen", side_effect=AssertionError):  # not twice
            self.assertEqual(run_main("--num_steps=0", "--num_samples=0")[::2], (0, ""))

    def test_leaves_nothing_behind_when_it_fails(self):
        write_bytes = Path.write_bytes

        def write_to_full_disk(path, data):
            write_bytes(path, data[:1000])
            raise OSError(28, "No space left on device")

        full = mock.patch.object(Path, "write_bytes", write_to_full_disk)
        nothing, page = io.BytesIO(), io.BytesIO()
        nothing.close()
        for words, answer, body in (
            ("checksum mismatch", wrong := io.BytesIO(DATA.replace(b"bob", b"eve", 1)), wrong),
            ("checksum mismatch", endless := Endless(), endless),
            ("404", urllib.error.HTTPError(URL, 404, "Not Found", {}, page), page),
            ("no network", OSError("no network"), nothing),
            ("malformed proxy", UnicodeError("malformed proxy"), nothing),
            ("No space left on device", right := io.BytesIO(DATA), right),
        ):
            with self.subTest(words), full if "space" in words else contextlib.nullcontext():
                code, out, err = self.download(answer, body)
                self.assertEqual((code, out, self.files()), (1, "", ["elsewhere"]), err)
                told = rf"\A.*\nmicrogpt.py: error: download failed: .*{words}.*file.*\n\Z"
                self.assertRegex(err, told)

    def test_that_is_interrupted(self):
        with mock.patch("pathlib.Path.replace", side_effect=KeyboardInterrupt):
            self.assertEqual(self.download(body := io.BytesIO(DATA), body)[:2], (130, ""))
        self.assertEqual(self.files(), ["elsewhere"])
