"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?

From a server of our own, which does all that a server can do wrong.
"""

import hashlib
import os
import shutil
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import microgpt
from tests import HOW_TO_GIVE_THE_NAMES, PROGRAM, InFolder, published_names, run

NAMES = b"anna\nbob\ncarla\n" * 20_000

# The program, with the address, the checksum and the patience that the test asks for. It is told
# whether its disk fills up, and checks that nothing has to be copied from another one.
SCRIPT = """
import pathlib, sys
import microgpt
microgpt.NAMES_URL, microgpt.NAMES_SHA256, disk = sys.argv[1:]
microgpt.DOWNLOAD_SECONDS = 1.0
write_bytes, replace = pathlib.Path.write_bytes, pathlib.Path.replace
def write_to_full_disk(path, data):
    write_bytes(path, data[:1000])
    raise OSError(28, "No space left on device")
def replace_close_by(path, target):
    assert path.resolve().parent.parent == pathlib.Path.cwd(), path
    return replace(path, target)
pathlib.Path.replace = replace_close_by
if disk == "full":
    pathlib.Path.write_bytes = write_to_full_disk
sys.argv[0] = "microgpt.py"
microgpt.main(["--num_steps", "1", "--num_samples", "1"])
"""


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        getattr(self, "serve_" + self.path.strip("/"))()

    def log_message(self, *args):
        pass

    def send(self, body, length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def serve_right(self):
        self.send(NAMES)

    def serve_moved(self):
        self.send_response(302)
        self.send_header("Location", "/right")
        self.end_headers()

    def serve_wrong(self):
        self.send(NAMES.replace(b"bob", b"eve", 1))

    def serve_empty(self):
        self.send(b"")

    def serve_half(self):
        self.send(NAMES[: len(NAMES) // 2], len(NAMES))

    def serve_no_length(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(NAMES[: len(NAMES) // 2])

    def serve_missing(self):
        self.send(b"not here", status=404)

    def serve_broken(self):
        self.send(NAMES, status=500)

    def serve_garbage(self):
        self.wfile.write(b"\x00\xff no HTTP at all\r\n\r\n")

    def serve_hangup(self):
        self.close_connection = True

    def serve_silence(self):
        time.sleep(5)

    def serve_drip(self):
        """A byte now and then: no single wait is long, and there is no end until one hangs up."""
        self.send(b"", len(NAMES))
        for _ in range(300):
            self.wfile.write(b"a")
            time.sleep(0.1)


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
        super().setUp()
        shutil.copy(PROGRAM, self.folder)  # where no input.txt is beside it
        self.env = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "no_proxy": "*"}
        self.folder = self.folder / "here"
        self.folder.mkdir()

    def run_program(self, path, port=None, disk="empty"):
        self.url = f"http://127.0.0.1:{port or self.server.server_port}/{path}"
        sha256 = hashlib.sha256(NAMES).hexdigest()
        return run(self.url, sha256, disk, code=SCRIPT, cwd=self.folder, env=self.env)

    def assertRefused(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        first, line = done.stderr.decode().splitlines()
        self.assertEqual(first, f"there is no input.txt: downloading {self.url}")
        self.assertTrue(line.startswith("microgpt.py: error: download failed: "), line)
        self.assertIn("name a file", line)
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_right_file(self):
        for path in ("right", "moved"):
            done = self.run_program(path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(
                done.stderr.decode().splitlines(),
                [f"there is no input.txt: downloading {self.url}"],
            )
            self.assertTrue(done.stdout.startswith(b"num docs: 60000\n"))
            names = self.folder / "input.txt"
            self.assertEqual(names.read_bytes(), NAMES)
            self.assertEqual(list(self.folder.iterdir()), [names])
            again = self.run_program("broken")  # it is not downloaded twice
            self.assertEqual((again.returncode, again.stderr), (0, b""))
            self.assertEqual(again.stdout, done.stdout)
            names.unlink()

    def test_files_that_are_not_the_right_one(self):
        self.assertRefused(self.run_program("wrong"), "checksum mismatch")
        for path in ("empty", "half", "no_length"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path))

    def test_a_disk_that_fills_up(self):
        self.assertRefused(self.run_program("right", disk="full"), "No space left on device")

    def test_errors_of_the_server(self):
        self.assertRefused(self.run_program("missing"), "404")
        self.assertRefused(self.run_program("broken"), "500")
        for path in ("garbage", "hangup"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path))

    def test_time_outs(self):
        for path in ("silence", "drip"):
            with self.subTest(path):
                start = time.monotonic()
                self.assertRefused(self.run_program(path), "timed out")
                self.assertLess(time.monotonic() - start, 20)

    def test_no_network(self):
        self.assertRefused(self.run_program("right", port=1), "refused")

    @unittest.skipIf(not hasattr(os, "getuid") or os.getuid() == 0, "root may write anywhere")
    def test_folder_that_cannot_be_written(self):
        self.folder.chmod(0o500)
        self.assertRefused(self.run_program("right"), "Permission denied")

    def test_a_link_to_nowhere_is_the_users_own(self):
        link = self.folder / "input.txt"
        try:
            link.symlink_to("nowhere")
        except OSError:
            self.skipTest("there are no links here")
        done = self.run_program("right")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"input.txt: No such file", done.stderr)
        self.assertTrue(link.is_symlink())

    def test_what_is_downloaded(self):
        sha256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
        self.assertEqual(microgpt.NAMES_SHA256, sha256)
        url = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
        self.assertEqual(microgpt.NAMES_URL, url)
        self.assertEqual(microgpt.DOWNLOAD_SECONDS, 20.0)

    def test_the_checksum_is_that_of_the_published_names(self):
        names = published_names()
        if names is None:
            self.skipTest(HOW_TO_GIVE_THE_NAMES)
        digest = hashlib.sha256(names.read_bytes()).hexdigest()
        self.assertEqual(digest, microgpt.NAMES_SHA256)
