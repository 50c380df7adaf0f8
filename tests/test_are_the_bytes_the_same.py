"""Does the program write what the original writes, byte for byte, wherever it runs?"""

import random
import tempfile
import unittest
from itertools import islice
from pathlib import Path

import microgpt
from tests import KOREAN_NAMES, ROOT, default_run, run

PUBLISHED = ROOT.parent / "shared"

# The first documents that the published run trains on, by their line in its dataset, and the
# losses it printed for them.
PUBLISHED_LINES = 32033
PUBLISHED_DOCS = {
    26785: "yuheng", 23366: "diondre", 20900: "xavien", 29382: "jori", 25333: "juanluis",
    8234: "erandi", 13378: "phia", 17579: "samatha", 352: "phoenix", 11661: "emmelynn",
    16482: "hollan", 1704: "hollis", 12641: "callalily", 11361: "adelayde", 12986: "josephyne",
    21305: "weldon", 5034: "kayle", 20059: "ragnar", 26973: "colbie", 26060: "taveon",
}  # fmt: skip
PUBLISHED_LOSSES = """
    3.3660 3.4243 3.1778 3.0664 3.2209 2.9452 3.2894 3.3245 2.8990 3.2229
    2.7964 2.9345 3.0544 3.0905 3.0651 2.7337 2.8839 2.8977 2.7073 2.7453
""".split()


class TheBytes(unittest.TestCase):
    def test_whole_published_run(self):
        names, expected = PUBLISHED / "data/names.txt", PUBLISHED / "expected/names.stdout"
        if not names.exists():
            self.skipTest(f"the published run's dataset is not beside the project ({names})")
        self.assertEqual(run(names).stdout, expected.read_bytes())

    def test_first_steps_of_the_published_run(self):
        docs = ["abcdefghijklmnopqrstuvwxyz"] * PUBLISHED_LINES
        for line, doc in PUBLISHED_DOCS.items():
            docs[line] = doc
        settings = microgpt.Settings()
        rng = random.Random(settings.seed)
        rng.shuffle(docs)
        tokenizer = microgpt.Tokenizer(docs)
        state_dict = microgpt.init_state_dict(settings, tokenizer.vocab_size, rng)
        training = microgpt.train(state_dict, tokenizer, docs, settings)
        losses = [f"{loss:.4f}" for loss in islice(training, len(PUBLISHED_DOCS))]
        self.assertEqual(losses, PUBLISHED_LOSSES)

    def test_same_under_any_hash_seed_and_in_any_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                run(KOREAN_NAMES, "--num_steps", 50, env={"PYTHONHASHSEED": "0"}),
                run(KOREAN_NAMES, "--num_steps", 50, env={"PYTHONHASHSEED": "1"}, cwd=folder),
            ]
            self.assertEqual(list(Path(folder).iterdir()), [])
        self.assertEqual(runs[0].stdout, runs[1].stdout)
        self.assertEqual([r.returncode for r in runs], [0, 0])
        self.assertEqual([r.stderr for r in runs], [b"", b""])

    def test_layout_of_the_output(self):
        out = default_run(KOREAN_NAMES).stdout.decode("utf-8")
        self.assertTrue(
            out.startswith("num docs: 263\nvocab size: 58\nnum params: 5184\nstep    1 / 1000")
        )
        head, samples = out.split("\n--- inference (new, hallucinated names) ---\n")
        steps = head.split("\n")[-1].split("\r")
        self.assertEqual(steps.pop(), "")
        self.assertEqual(len(steps), 1000)
        for number, step in enumerate(steps, 1):
            self.assertRegex(step, rf"^step {number:4d} / 1000 \| loss \d\.\d{{4}}$")
        syllables = set(KOREAN_NAMES.read_text(encoding="utf-8")) - {"\n"}
        for number, sample in enumerate(samples.splitlines(), 1):
            self.assertEqual(sample[:11], f"sample {number:2d}: ")
            self.assertLessEqual(set(sample[11:]), syllables)
        self.assertEqual(number, 20)
