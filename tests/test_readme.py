"""Does all that the README has to paste and to run work, and print what it shows?"""

import contextlib
import gc
import io
import os
import re
import shutil
from unittest import mock

from support import ROOT, InFolder, published_run, run_main, watched_training

import microgpt

README = (ROOT / "README.md").read_text(encoding="utf-8")


class TheReadme(InFolder):
    def test_has_blocks_that_print_what_is_shown(self):
        """All of Python, pasted one after the other; the run is the published one."""
        self.addCleanup(gc.enable)
        self.addCleanup(microgpt.tape.clear)
        gc.disable()
        shutil.copy(ROOT / "input.txt", "input.txt")
        blocks = re.findall(r"^```python\n(.*?)^```\n(?:```text\n(.*?)```)?", README, re.M | re.S)
        self.assertGreater(len(blocks), 8)
        namespace, state_dict = {}, published_run()[1]
        for code, shown in blocks:
            if "unseen {unseen_loss" in code:  # this exercise takes half a minute: done by hand
                continue
            scope = namespace
            if "json.loads" in code:  # a new session, and another dataset
                scope = {}
                self.file(b"another\nnames\n", "input.txt")
            run = mock.patch.object(microgpt, "run", lambda *args: state_dict)
            training = mock.patch.object(microgpt, "train", watched_training)
            with run, training, contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, scope)
            self.assertEqual(out.getvalue(), shown, code)

    def test_has_commands_that_work(self):
        """All that start microgpt.py; they are cut short, so this says only that they work."""
        self.file(b"anna\nbob\n", "my_names.txt")
        os.makedirs("tests/data")
        for name in ("input.txt", "tests/data/korean_names.txt"):
            shutil.copy(ROOT / name, name)
        commands = set(re.findall(r"python microgpt\.py\b([^\n`|]*)", README))
        self.assertGreater(len(commands), 5)
        for command in commands:
            code, out, err = run_main(*command.split(), "--num_steps=1", "--num_samples=1")
            self.assertEqual((code, err), (0, ""), command)
            self.assertIn("\nsample  1: ", out)
