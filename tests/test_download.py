"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?

From a server of our own, which does all that a server can do wrong.
"""

import hashlib
import os
import threading
import time
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import microgpt
from tests import NAMES_FILE, InFolder, call, needs_names, not_root

NAMES = b"anna\nbob\ncarla\n" * 20_000

OK = b"HTTP/1.0 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(NAMES)
RESPONSES = {
    "/right": OK + LENGTH + NAMES,
    "/moved": b"HTTP/1.0 302 Found\r\nLocation: /right\r\n\r\n",
    "/moved_to_nonsense": b"HTTP/1.0 302 Found\r\nLocation: http://names..example.com/\r\n\r\n",
    "/wrong": OK + LENGTH + NAMES.replace(b"bob", b"eve", 1),
    "/half": OK + LENGTH + NAMES[: len(NAMES) // 2],
    "/missing": b"HTTP/1.0 404 Not Found\r\n\r\n",
    "/garbage": b"\x00\xff no HTTP at all\r\n\r\n",
    "/hangup": b"",
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silence":
            time.sleep(1)
        else:
            self.wfile.write(RESPONSES[self.path])

    def log_message(self, *args):
        pass


class Download(InFolder):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        cls.server.handle_error = lambda *args: None  # clients that hang up are the point
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        """An empty folder, and the program in it as if it had no input.txt beside it either."""
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        sha256 = hashlib.sha256(NAMES).hexdigest()
        program = str(self.folder / "microgpt.py")
        self.patch(mock.patch.multiple(microgpt, __file__=program, NAMES_SHA256=sha256))
        urlopen = urllib.request.urlopen

        def impatient(url, timeout):
            self.assertEqual(timeout, 20)
            urllib.request.install_opener(None)  # it would remember the proxies
            return urlopen(url, timeout=0.5)

        self.patch(mock.patch("urllib.request.urlopen", impatient))

    def patch(self, patcher):
        patcher.start()
        self.addCleanup(patcher.stop)

    def download(self, path, port=None, **env):
        """What main() does with an address on our server: exit code, stdout, lines of stderr."""
        self.url = f"http://127.0.0.1:{port or self.server.server_port}/{path}"
        env = {"no_proxy": "*", **env}
        with mock.patch.object(microgpt, "NAMES_URL", self.url), mock.patch.dict(os.environ, env):
            code, out, err = call("--num_steps", 0, "--num_samples", 0)
        return code, out, err.splitlines()

    def assertDownloaded(self, path):
        code, out, err = self.download(path)
        self.assertEqual((code, err), (0, [f"there is no input.txt: downloading {self.url}"]))
        self.assertTrue(out.startswith("num docs: 60000"))
        self.assertEqual((os.listdir(), Path("input.txt").read_bytes()), (["input.txt"], NAMES))

    def assertRefused(self, result, words=""):
        code, out, (first, line) = result
        self.assertEqual((code, out, os.listdir()), (1, "", []), line)
        self.assertEqual(first, f"there is no input.txt: downloading {self.url}")
        begin, end = "microgpt.py: error: download failed: ", "; name a file to train on instead"
        self.assertRegex(line, f"^{begin}.*{words}.*{end}$")

    def test_the_right_file(self):
        self.assertDownloaded("right")
        code, _, err = self.download("missing")  # it is not downloaded twice
        self.assertEqual((code, err), (0, []))

    def test_the_right_file_by_way_of_a_redirect(self):
        self.assertDownloaded("moved")

    def test_without_a_file_of_its_own(self):
        del microgpt.__file__
        self.assertDownloaded("right")

    def test_what_goes_wrong_on_the_way(self):
        for path, words in (
            ("wrong", "checksum mismatch"),
            ("half", ""),
            ("missing", "404"),
            ("silence", "timed out"),
            ("garbage", ""),
            ("hangup", ""),
            ("moved_to_nonsense", ""),
        ):
            with self.subTest(path):
                self.assertRefused(self.download(path), words)
        self.assertRefused(self.download("right", port=1), "refused")
        for proxy in ("http:/127.0.0.1:1", "http://proxy..example.com:1", f"http://[::1]:{10**20}"):
            with self.subTest(proxy):
                self.assertRefused(self.download("right", http_proxy=proxy, no_proxy=""))

    def test_a_disk_that_fills_up(self):
        write_bytes = Path.write_bytes

        def write_to_full_disk(path, data):
            write_bytes(path, data[:1000])
            raise OSError(28, "No space left on device")

        with mock.patch.object(Path, "write_bytes", write_to_full_disk):
            self.assertRefused(self.download("right"), "No space left on device")

    def test_it_is_put_in_place_in_one_step(self):
        """From a folder beside it, as a file on another disk would have to be copied."""
        replace = mock.Mock(side_effect=OSError(5, "Input/output error"))
        with mock.patch.object(Path, "replace", lambda path, target: replace(path.resolve())):
            self.assertRefused(self.download("right"), "Input/output error")
        self.assertEqual(replace.call_args[0][0].parent.parent, self.folder.resolve())

    @not_root
    def test_folder_that_cannot_be_written(self):
        self.folder.chmod(0o500)
        self.assertRefused(self.download("right"), "Permission denied")


class TheAddress(unittest.TestCase):
    def test_it_is_a_revision_that_cannot_change(self):
        url = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
        self.assertEqual(microgpt.NAMES_URL, url)

    @needs_names
    def test_checksum(self):
        digest = hashlib.sha256(NAMES_FILE.read_bytes()).hexdigest()
        self.assertEqual(digest, microgpt.NAMES_SHA256)
