"""Do the two datasets that come with the program hold what its pages say?"""

import random
import string
import unicodedata
import unittest

import microgpt
from tests import KOREAN_NAMES, ROOT


def num_params(docs):
    settings = microgpt.Settings()
    vocab_size = microgpt.Tokenizer(docs).vocab_size
    state_dict = microgpt.init_state_dict(settings, vocab_size, random.Random(0))
    return sum(len(row) for matrix in state_dict.values() for row in matrix)


class TheDatasets(unittest.TestCase):
    def test_names(self):
        lines = (ROOT / "input.txt").read_bytes().decode("ascii").split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertGreaterEqual(len(lines), 4000)
        self.assertEqual(len(set(lines)), len(lines))
        self.assertEqual(set("".join(lines)), set(string.ascii_lowercase))
        self.assertTrue(all(1 <= len(line) <= 15 for line in lines))
        self.assertEqual(microgpt.read_docs(ROOT / "input.txt"), lines)
        self.assertEqual(microgpt.Tokenizer(lines).vocab_size, 27)
        self.assertEqual(num_params(lines), 4192)

    def test_korean_names(self):
        lines = KOREAN_NAMES.read_bytes().decode("utf-8").split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertEqual(len(lines), 263)
        self.assertEqual(len(set(lines)), 263)
        syllables = set("".join(lines))
        self.assertEqual(len(syllables), 57)
        for syllable in syllables:
            self.assertTrue(unicodedata.name(syllable).startswith("HANGUL SYLLABLE"), syllable)
        self.assertEqual(microgpt.read_docs(KOREAN_NAMES), lines)
        self.assertEqual(microgpt.Tokenizer(lines).vocab_size, 58)
        self.assertEqual(num_params(lines), 5184)
