"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?

From a server of our own, which does all that a server can do wrong.
"""

import contextlib
import hashlib
import os
import socket
import threading
import time
import unittest
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from support import InFolder, run_main

import microgpt

DATA = b"anna\nbob\ncarla\n" * 20_000  # a little more than the names have
OK = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DATA)
RESPONSES = {
    "/right": OK + DATA,
    "/moved": b"HTTP/1.0 302 Found\r\nLocation: /right\r\n\r\n",
    "/wrong": OK + DATA.replace(b"bob", b"eve", 1),
    "/half": OK + DATA[: len(DATA) // 2],
    "/missing": b"HTTP/1.0 404 Not Found\r\n\r\n",
    "/garbage": b"\x00\xff no HTTP at all",
    "/hangup": b"",
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silence":
            time.sleep(1)
        elif self.path == "/endless":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            for _ in range(150):  # 45 MB, unless the client hangs up
                self.wfile.write(DATA)
            self.server.all_was_read = True
        else:
            self.wfile.write(RESPONSES[self.path])

    def log_message(self, *args):
        pass


class Download(InFolder):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        cls.server.handle_error = lambda *args: None  # clients that hang up are the point
        cls.server.all_was_read = False
        cls.addClassCleanup(cls.server.server_close)
        try:
            socket.create_connection(cls.server.server_address, timeout=5).close()
        except OSError:
            raise unittest.SkipTest("there is no loopback interface") from None
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.shutdown)

    def setUp(self):
        """The program in another folder that has no input.txt either, and little patience."""
        super().setUp()
        os.mkdir("elsewhere")
        main, code = microgpt.main, microgpt.main.__code__
        self.addCleanup(setattr, main, "__code__", code)
        main.__code__ = code.replace(co_filename=str(Path("elsewhere", "microgpt.py")))
        urlopen = urllib.request.urlopen

        def impatient(url, timeout):
            self.assertEqual(timeout, 20)
            urllib.request.install_opener(None)  # it would remember the proxies
            try:
                return urlopen(url, timeout=0.5)
            except urllib.error.HTTPError as error:
                self.addCleanup(lambda held=error: self.assertTrue(held.fp.closed))
                raise

        for patch in (
            mock.patch.object(microgpt, "NAMES_SHA256", hashlib.sha256(DATA).hexdigest()),
            mock.patch("urllib.request.urlopen", impatient),
            mock.patch("tempfile.tempdir", "on another disk"),  # nothing can be moved from there
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def download(self, path, port=None, **env):
        """What main() does with an address on our server: exit code, stdout, and stderr."""
        url = f"http://127.0.0.1:{port or self.server.server_port}/{path}"
        env = {"no_proxy": "*", **env}
        with mock.patch.object(microgpt, "NAMES_URL", url), mock.patch.dict(os.environ, env):
            return run_main("--num_steps=0", "--num_samples=0")

    def files(self):
        return sorted(str(path) for path in Path().rglob("*"))

    def test_has_the_address_of_the_names(self):
        names = "karpathy/makemore/988aa59/names.txt"
        self.assertEqual(microgpt.NAMES_URL, f"https://raw.githubusercontent.com/{names}")

    def test_of_the_right_file_even_by_way_of_a_redirect(self):
        for path in ("right", "moved"):
            code, out, err = self.download(path)
            self.assertEqual((code, err.count("\n"), out[:15]), (0, 1, "num docs: 60000"), err)
            self.assertEqual(self.files(), ["elsewhere", "input.txt"])
            self.assertEqual(Path("input.txt").read_bytes(), DATA)
            self.assertEqual(self.download("missing")[::2], (0, ""))  # it is not downloaded twice
            os.remove("input.txt")

    def test_that_goes_wrong(self):
        write_bytes = Path.write_bytes

        def write_to_full_disk(path, data):
            write_bytes(path, data[:1000])
            raise OSError(28, "No space left on device")

        full = mock.patch.object(Path, "write_bytes", write_to_full_disk)
        for path, words, options in (
            ("wrong", "checksum mismatch", {}),
            ("half", "", {}),
            ("missing", "404", {}),
            ("silence", "timed out", {}),
            ("garbage", "", {}),
            ("hangup", "", {}),
            ("endless", "checksum mismatch", {}),
            ("right", "(refused|timed out)", {"port": 1}),  # Windows takes its time to refuse
            ("right", "", {"http_proxy": "http://proxy..example.com:1", "no_proxy": ""}),
            ("right", "No space left on device", {}),
        ):
            with (
                self.subTest(path, **options),
                full if "space" in words else contextlib.nullcontext(),
            ):
                code, out, err = self.download(path, **options)
                self.assertEqual((code, out, self.files()), (1, "", ["elsewhere"]), err)
                told = rf"\A.*\nmicrogpt.py: error: download failed: .*{words}.*file.*\n\Z"
                self.assertRegex(err, told)
        self.assertFalse(self.server.all_was_read)

    def test_that_is_interrupted(self):
        for function in ("pathlib.Path.replace", "urllib.request.urlopen"):
            with mock.patch(function, side_effect=KeyboardInterrupt):
                self.assertEqual(self.download("right")[:2], (130, ""))
            self.assertEqual(self.files(), ["elsewhere"])
