"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import microgpt
from tests import PROGRAM, ROOT

NAMES = b"anna\nbob\ncarla\n" * 20_000

# The program, with the address, the checksum and the patience that the test asks for.
SCRIPT = """
import sys
import microgpt
microgpt.NAMES_URL, microgpt.NAMES_SHA256 = sys.argv[1:3]
microgpt.DOWNLOAD_SECONDS = 2.0
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
        """A byte now and then: no single wait is long, but there would be no end of it."""
        self.send(b"", len(NAMES))
        for i in range(20):
            self.wfile.write(NAMES[i : i + 1])
            time.sleep(0.2)


class Download(unittest.TestCase):
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
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        site, self.folder = Path(folder.name, "site"), Path(folder.name, "here")
        site.mkdir()
        self.folder.mkdir()
        shutil.copy(PROGRAM, site)  # where no input.txt is beside it
        self.env = {**os.environ, "PYTHONPATH": str(site), "no_proxy": "*"}

    def run_program(self, path, port=None):
        self.url = f"http://127.0.0.1:{port or self.server.server_port}/{path}"
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, self.url, hashlib.sha256(NAMES).hexdigest()],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )

    def assertRefused(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        first, line = done.stderr.decode().splitlines()
        self.assertEqual(first, f"there is no input.txt: downloading {self.url}")
        self.assertTrue(line.startswith("microgpt.py: error: the download failed: "), line)
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
        for path in ("wrong", "empty", "half", "no_length"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path))

    def test_the_checksum_is_what_refuses_a_changed_file(self):
        self.assertRefused(self.run_program("wrong"), "checksum")

    def test_errors_of_the_server(self):
        self.assertRefused(self.run_program("missing"), "404")
        self.assertRefused(self.run_program("broken"), "500")
        for path in ("garbage", "hangup"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path))

    def test_time_outs(self):
        for path in ("silence", "drip"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path), "timed out")

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

    def test_the_published_names_are_what_is_downloaded(self):
        self.assertRegex(microgpt.NAMES_URL, r"^https://.*/karpathy/makemore/988aa59/names\.txt$")
        names = ROOT.parent / "shared" / "data" / "names.txt"
        if not names.exists():
            self.skipTest(f"the published run's dataset is not beside the project ({names})")
        self.assertEqual(hashlib.sha256(names.read_bytes()).hexdigest(), microgpt.NAMES_SHA256)
