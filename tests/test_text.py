"""Do lines become documents, characters tokens, and tokens text? Are our datasets as promised?"""

import string
import unicodedata
import unittest

from microgpt import Tokenizer, read_docs
from tests import KOREAN_NAMES, ROOT, InFolder


class Documents(InFolder):
    def docs(self, data):
        return read_docs(self.file(data))

    def test_are_the_lines_that_are_not_blank(self):
        for text, docs in (
            ("\n anna \n\n \t\nbob lee\t\n\n", ["anna", "bob lee"]),
            ("anna", ["anna"]),
            ("b\na\nb\n", ["b", "a", "b"]),  # repeated
            ("a\r\nb\rc\nd", ["a", "b", "c", "d"]),  # line ends of every system, and no others
            *[(f"a{end}b", [f"a{end}b"]) for end in "\x00\x0b\x0c\x1c\x85\u2028"],
            ("\ufeffanna\n\ufeffbob", ["anna", "\ufeffbob"]),  # a byte order mark, and no mark
            ("\u1100\u1161e\u0301", ["\uac00\u00e9"]),  # decomposed, composed
            ("\ufb01x \u2460 \uff41", ["\ufb01x \u2460 \uff41"]),  # NFKC would change these
        ):
            with self.subTest(text):
                self.assertEqual(self.docs(text.encode()), docs)

    def test_there_are_none(self):
        for data in (b"", b"\n\r\n \t\n", b"\xef\xbb\xbf", "\u3000\n".encode()):
            with self.subTest(data), self.assertRaisesRegex(ValueError, "^'.*no docum"):
                self.docs(data)

    def test_the_line_that_is_not_utf_8_is_named(self):
        for data, line in (
            (b"\xff", 1),
            (b"a\n\xc3", 2),
            (b"a\r\nb\r\n\n\xe9", 4),
            (b"a\rb\r\x80", 3),
            (b"\xef\xbb\xbfa\n\xed\xa0\x80", 2),
        ):
            with self.subTest(data), self.assertRaisesRegex(ValueError, rf"line {line}\b"):
                self.docs(data)


class Tokens(unittest.TestCase):
    def test_are_the_places_of_the_sorted_characters_and_bos(self):
        tokenizer = Tokenizer(["bob", "anna"])
        self.assertEqual(tokenizer.chars, ["a", "b", "n", "o"])
        self.assertEqual((tokenizer.bos, tokenizer.vocab_size), (4, 5))
        self.assertEqual(tokenizer.encode("bob"), [4, 1, 3, 1, 4])
        self.assertEqual(tokenizer.encode(""), [4, 4])

    def test_are_decoded_without_bos(self):
        docs = ["새벽", "été", "a b", "\U0001f600", "\x00", ""]
        tokenizer = Tokenizer(docs)
        for doc in docs:
            self.assertEqual(tokenizer.decode(tokenizer.encode(doc)), doc)
        self.assertEqual(tokenizer.decode([0]), "\x00")

    def test_an_unknown_character_is_named(self):
        with self.assertRaisesRegex(ValueError, "'d'"):
            Tokenizer(["abc"]).encode("abd")


class OurDatasets(unittest.TestCase):
    def docs(self, path):
        docs = read_docs(path)
        self.assertEqual("\n".join([*docs, ""]).encode(), path.read_bytes())
        self.assertEqual(len(set(docs)), len(docs))
        return docs, set("".join(docs))

    def test_input_txt(self):
        docs, chars = self.docs(ROOT / "input.txt")
        self.assertGreaterEqual(len(docs), 4000)
        self.assertEqual(chars, set(string.ascii_lowercase))
        self.assertLessEqual(max(map(len, docs)), 15)

    def test_korean_names(self):
        docs, chars = self.docs(KOREAN_NAMES)
        self.assertEqual((len(docs), len(chars)), (263, 57))
        for char in chars:
            self.assertTrue(unicodedata.name(char).startswith("HANGUL SYLLABLE"), char)
