"""Does the program write what the original writes, byte for byte, wherever it runs?

Against the published run, and against naive_program.py, which is put together from the oracles.
"""

import contextlib
import hashlib
import io
import os
import random
import re
import unittest
from itertools import islice

import microgpt
from tests import KOREAN_NAMES, NAMES_FILE, ROOT, InFolder, naive_program, needs_names, run

# The first documents that the published run trains on, by their line in its dataset, and the
# losses it printed for them.
# fmt: off
PUBLISHED_DOCS = {
    26785: "yuheng", 23366: "diondre", 20900: "xavien", 29382: "jori", 25333: "juanluis",
    8234: "erandi", 13378: "phia", 17579: "samatha", 352: "phoenix", 11661: "emmelynn",
    16482: "hollan", 1704: "hollis", 12641: "callalily", 11361: "adelayde", 12986: "josephyne",
    21305: "weldon", 5034: "kayle", 20059: "ragnar", 26973: "colbie", 26060: "taveon",
}
# fmt: on
PUBLISHED_LOSSES = """
    3.3660 3.4243 3.1778 3.0664 3.2209 2.9452 3.2894 3.3245 2.8990 3.2229
    2.7964 2.9345 3.0544 3.0905 3.0651 2.7337 2.8839 2.8977 2.7073 2.7453
"""

SHA256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"

NAMES = ["anna", "bob", "carla", "dora", "ed", "xenophon", "abcdabcdabcd", "o"]
SMALL = {"n_embd": 4, "n_head": 2}


def output(docs, **settings):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        microgpt.run(docs, microgpt.Settings(**settings))
    return out.getvalue()


def naive_output(docs, **settings):
    written = []
    naive_program.run(docs, written.append, **settings)
    return "".join(written)


class ThePublishedRun(unittest.TestCase):
    @needs_names
    def test_the_whole_of_it(self):
        out = run(NAMES_FILE).stdout
        self.assertEqual((hashlib.sha256(out).hexdigest(), len(out)), (SHA256, 31431))
        names = NAMES_FILE.read_bytes().split()
        count = sum(name in names for name in re.findall(rb"sample ..: (.*)", out))
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn(f"{count} of the 20 in the original's published run", readme)

    def test_its_first_steps(self):
        docs = ["abcdefghijklmnopqrstuvwxyz"] * 32033
        for line, doc in PUBLISHED_DOCS.items():
            docs[line] = doc
        settings = microgpt.Settings()
        rng = random.Random(settings.seed)
        rng.shuffle(docs)
        tokenizer = microgpt.Tokenizer(docs)
        state_dict = microgpt.init_state_dict(settings, tokenizer.vocab_size, rng)
        training = microgpt.train(state_dict, tokenizer, docs, settings)
        losses = [f"{loss:.4f}" for loss in islice(training, len(PUBLISHED_DOCS))]
        self.assertEqual(losses, PUBLISHED_LOSSES.split())


class AnyRun(unittest.TestCase):
    """Other datasets, seeds and shapes, against the naive program."""

    def assertSameOutput(self, docs, **settings):
        with self.subTest(docs=docs[:1], **settings):
            self.assertEqual(output(docs, **settings), naive_output(docs, **settings))

    def test_shapes(self):
        for n_layer, n_head, n_embd, block_size, num_steps in (
            (0, 4, 8, 5, 3),
            (1, 4, 16, 16, 2),
            (1, 3, 9, 1, 2),
            (1, 8, 8, 3, 2),
            (2, 1, 8, 5, 2),
            (2, 4, 12, 8, 1),
            (3, 2, 4, 2, 2),
            (6, 2, 4, 16, 2),
            (1, 8, 32, 16, 1),
        ):
            shape = {"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd}
            run = {"block_size": block_size, "num_steps": num_steps, "num_samples": 3}
            self.assertSameOutput(NAMES, **shape, **run)

    def test_datasets(self):
        korean = KOREAN_NAMES.read_text(encoding="utf-8").split()
        for docs in (["aaaa"], ["\U0001f600é ß\x00\x7f"], korean, ["abcde" * 8, "edcba" * 9]):
            self.assertSameOutput(docs, **SMALL, block_size=40, num_steps=5, num_samples=3)

    def test_settings(self):
        for settings in (
            {"temperature": 3.0, "num_samples": 101, "num_steps": 1},
            {"temperature": 0.05},
            {"num_steps": 0},
            {"num_samples": 0},
            *[{"seed": seed} for seed in (0, 1, 2**70, -3)],
        ):
            run = {"num_steps": 4, "num_samples": 5, **SMALL, **settings}
            self.assertSameOutput(NAMES, block_size=6, **run)

    def test_learning_rates(self):
        """The bytes are the same up to twice the default, and for a while at any.

        Gradients are added up in another order here than in the original, so that their last bits
        can differ; at high learning rates training amplifies that until it is seen. The naive
        program adds up in the order of the original.
        """
        for lr, num_steps in ((0.02, 100), (0.5, 20)):
            self.assertSameOutput(NAMES, **SMALL, block_size=8, lr=lr, num_steps=num_steps)


class Everywhere(InFolder):
    def test_any_hash_seed_and_any_folder(self):
        runs = [
            run(KOREAN_NAMES, "--num_steps", 20, env={"PYTHONHASHSEED": seed}, cwd=folder)
            for seed, folder in (("0", None), ("1", self.folder))
        ]
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(runs[0].stdout, runs[1].stdout)
        self.assertEqual([(r.returncode, r.stderr) for r in runs], [(0, b"")] * 2)

    def test_nobody_else_notices(self):
        """Importing opens no file but Python's own and no connection; no draw is a global one."""
        done = run(code=WATCHED)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"unchanged\n", b""))


WATCHED = """
import contextlib, io, os, random, sys
def hook(event, args):
    if event == "open" and (args[0] == "input.txt" or "w" in str(args[1])):
        os._exit(1)
    if event.startswith("socket."):
        os._exit(2)
state, docs = random.getstate(), ["a", "b", "c", "d", "e"]
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import microgpt
with contextlib.redirect_stdout(io.StringIO()):
    microgpt.run(docs, microgpt.Settings(num_steps=2, seed=1))
assert (random.getstate(), docs) == (state, ["a", "b", "c", "d", "e"])
print("unchanged")
"""
