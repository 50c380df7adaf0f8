"""Does an import do nothing but define things, and do the docstrings' examples hold?"""

import doctest
import sys
import unittest

from support import run_python

import microgpt

WATCHED = """
import gc, random, sys
def hook(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so", ".pyd")):
        raise RuntimeError(f"it opens {args[0]}")
    assert not event.startswith("socket."), event
state = random.getstate()
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import microgpt
assert gc.isenabled(), "the collector is off"
microgpt.run(["a", "b", "c", "d", "e"], microgpt.Settings(num_steps=2, seed=1))
assert random.getstate() == state, "a draw was a global one"
"""


class TheModule(unittest.TestCase):
    def test_opens_no_file_and_no_connection_and_leaves_the_global_generator_alone(self):
        self.assertEqual(run_python("-c", WATCHED).stderr, b"")

    @unittest.skipIf(sys.flags.optimize > 1, "there are no docstrings")
    def test_has_docstrings_with_examples_that_hold(self):
        failed, attempted = doctest.testmod(microgpt)
        self.assertTrue(attempted and not failed)
