"""Do the examples in the docstrings of microgpt.py give what they show?"""

import doctest
import unittest

import microgpt


class TheExamples(unittest.TestCase):
    def test_docstrings(self):
        result = doctest.testmod(microgpt)
        self.assertGreater(result.attempted, 0)
        self.assertEqual(result.failed, 0)
