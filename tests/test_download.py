"""With no dataset anywhere: does input.txt arrive whole and verified, or not at all?

From a server of our own, which does all that a server can do wrong.
"""

import hashlib
import os
import shutil
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import microgpt
from tests import HOW_TO_GIVE_THE_NAMES, PROGRAM, ROOT, InFolder, published_names, run

NAMES = b"anna\nbob\ncarla\n" * 20_000

# The program, with the address and the checksum that the test asks for, and a second's patience. It
# is told whether its disk fills up, and checks that nothing has to be copied from another one.
SCRIPT = """
import pathlib, sys, urllib.request
import microgpt
microgpt.NAMES_URL, microgpt.NAMES_SHA256, disk = sys.argv[1:]
urlopen = urllib.request.urlopen
def impatient(url, timeout):
    assert timeout == 20
    return urlopen(url, timeout=1)
urllib.request.urlopen = impatient
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

    def send(self, body, length=None, status=200, location=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def serve_right(self):
        self.send(NAMES)

    def serve_moved(self):
        self.send(b"", status=302, location="/right")

    def serve_moved_to_nonsense(self):
        self.send(b"", status=302, location="http://names..example.com/")

    def serve_wrong(self):
        self.send(NAMES.replace(b"bob", b"eve", 1))

    def serve_half(self):
        self.send(NAMES[: len(NAMES) // 2], len(NAMES))

    def serve_missing(self):
        self.send(b"not here", status=404)

    def serve_garbage(self):
        self.wfile.write(b"\x00\xff no HTTP at all\r\n\r\n")

    def serve_hangup(self):
        self.close_connection = True

    def serve_silence(self):
        self.server.over.wait(5)


class Download(InFolder):
    @classmethod
    def setUpClass(cls):
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        cls.server.over = threading.Event()
        cls.server.handle_error = lambda *args: None  # clients that hang up are the point
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.over.set()
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        super().setUp()
        shutil.copy(PROGRAM, self.folder)  # where no input.txt is beside it
        self.env = {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "no_proxy": "*"}
        self.folder = self.folder / "here"
        self.folder.mkdir()

    def run_program(self, path, port=None, disk="empty", code=SCRIPT, **env):
        self.url = f"http://127.0.0.1:{port or self.server.server_port}/{path}"
        sha256 = hashlib.sha256(NAMES).hexdigest()
        env = {**self.env, **env}
        return run(self.url, sha256, disk, code=code, cwd=self.folder, env=env)

    def assertRefused(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr)
        first, line = done.stderr.decode().splitlines()
        self.assertEqual(first, f"there is no input.txt: downloading {self.url}")
        self.assertRegex(line, "^microgpt.py: error: download failed: .*; name a file to train on")
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_right_file(self):
        for path in ("right", "moved"):
            done = self.run_program(path)
            notice = f"there is no input.txt: downloading {self.url}"
            self.assertEqual((done.returncode, done.stderr.decode().splitlines()), (0, [notice]))
            self.assertTrue(done.stdout.startswith(b"num docs: 60000"))
            names = self.folder / "input.txt"
            self.assertEqual(names.read_bytes(), NAMES)
            self.assertEqual(list(self.folder.iterdir()), [names])
            again = self.run_program("missing")  # it is not downloaded twice
            self.assertEqual((again.returncode, again.stderr), (0, b""))
            names.unlink()

    def test_without_a_file_of_its_own(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8").split('if __name__ == "__')[0]
        code = SCRIPT.replace(
            "import microgpt\n", f"microgpt = Bare()\nexec({source!r}, vars(microgpt))\n"
        )
        bare = "class Bare: pass\n"
        done = self.run_program("right", code=bare + code)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.folder / "input.txt").read_bytes(), NAMES)

    def test_files_that_are_not_the_right_one(self):
        self.assertRefused(self.run_program("wrong"), "checksum mismatch")
        self.assertRefused(self.run_program("half"))

    def test_a_disk_that_fills_up(self):
        self.assertRefused(self.run_program("right", disk="full"), "No space left on device")

    def test_servers_that_fail(self):
        self.assertRefused(self.run_program("missing"), "404")
        self.assertRefused(self.run_program("silence"), "timed out")
        self.assertRefused(self.run_program("right", port=1), "refused")
        for path in ("garbage", "hangup", "moved_to_nonsense"):
            with self.subTest(path):
                self.assertRefused(self.run_program(path))

    def test_proxies_that_make_no_sense(self):
        for proxy in ("http:/127.0.0.1:1", "http://proxy..example.com:1", f"http://[::1]:{10**20}"):
            with self.subTest(proxy):
                self.assertRefused(self.run_program("right", http_proxy=proxy, no_proxy=""))

    @unittest.skipIf(not hasattr(os, "getuid") or os.getuid() == 0, "root may write anywhere")
    def test_folder_that_cannot_be_written(self):
        self.folder.chmod(0o500)
        self.assertRefused(self.run_program("right"), "Permission denied")

    def test_what_is_downloaded(self):
        url = "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt"
        self.assertEqual(microgpt.NAMES_URL, url)
        names = published_names()
        if names is None:
            self.skipTest(HOW_TO_GIVE_THE_NAMES)
        digest = hashlib.sha256(names.read_bytes()).hexdigest()
        self.assertEqual(digest, microgpt.NAMES_SHA256)
