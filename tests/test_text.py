"""Do lines become documents, characters tokens, and tokens text? Are our datasets as promised?"""

import hashlib
import unittest

from support import KOREAN_NAMES, ROOT, InFolder

from microgpt import NAMES_SHA256, Tokenizer, read_docs


class Documents(InFolder):
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
                self.assertEqual(read_docs(self.file(text.encode())), docs)

    def test_are_refused_if_there_are_none_or_if_a_line_is_not_utf_8(self):
        for data, words in (
            (b"", "no docum"),
            (b"\n\r\n \t\n", "no docum"),
            (b"\xef\xbb\xbf", "no docum"),
            (b"\xe3\x80\x80\n", "no docum"),
            (b"\xff", "line 1 "),
            (b"a\n\xc3", "line 2 "),
            (b"a\r\nb\r\n\n\xe9", "line 4 "),
            (b"a\rb\r\x80", "line 3 "),
            (b"\xef\xbb\xbfa\n\xed\xa0\x80", "line 2 "),
        ):
            words = f"^'.*docs.txt': .*{words}"
            with self.subTest(data), self.assertRaisesRegex(ValueError, words):
                read_docs(self.file(data))


class Tokens(unittest.TestCase):
    def test_are_the_places_of_the_sorted_characters_and_bos(self):
        tokenizer = Tokenizer(["bob", "anna"])
        self.assertEqual(tokenizer.chars, ["a", "b", "n", "o"])
        self.assertEqual((tokenizer.bos, tokenizer.vocab_size), (4, 5))
        self.assertEqual(tokenizer.encode("bob"), [4, 1, 3, 1, 4])
        self.assertEqual(tokenizer.encode(""), [4, 4])
        self.assertEqual(tokenizer.decode([4, 1, 0, 2, 4]), "ban")
        with self.assertRaisesRegex(ValueError, "'d'"):
            tokenizer.encode("bad")


class OurDatasets(unittest.TestCase):
    def test_input_txt_has_the_names_that_would_be_downloaded(self):
        names = (ROOT / "input.txt").read_bytes()
        self.assertEqual(hashlib.sha256(names).hexdigest(), NAMES_SHA256)

    def test_korean_names(self):
        docs = read_docs(KOREAN_NAMES)
        chars = set("".join(docs))
        self.assertEqual((len(docs), len(set(docs)), len(chars)), (263, 263, 57))
        self.assertEqual("\n".join([*docs, ""]).encode(), KOREAN_NAMES.read_bytes())
