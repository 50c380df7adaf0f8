"""Does the README still say what the program does, and in a reader's measure?"""

import contextlib
import doctest
import io
import re
import subprocess
import sys
import unittest
from dataclasses import fields

from microgpt import Settings
from tests import KOREAN_NAMES, ROOT, default_run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks():
    """The blocks of code between the fences, as lists of lines."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    return [block.splitlines() for language, block in found if not language]


def table(first_column):
    """The rows of the table whose first column has this heading."""
    rows = README.split(f"\n| {first_column} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


class TheReadme(unittest.TestCase):
    def test_settings(self):
        rows = [(f"`--{f.name}`", str(f.default), f.metadata["help"]) for f in fields(Settings)]
        self.assertEqual([tuple(row) for row in table("option")], rows)

    def test_sections(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        banners = re.findall(r"^# --- (.+?) -+$", source, re.M)
        self.assertEqual([row[0] for row in table("section")], banners)

    def test_the_first_commands(self):
        self.assertEqual(blocks()[0], ["python microgpt.py", "python -m unittest"])

    def test_sample_outputs(self):
        shown = [block for block in blocks() if block[0].startswith("num docs: ")]
        self.assertEqual(len(shown), 2)
        for block, path in zip(shown, (ROOT / "input.txt", KOREAN_NAMES)):
            self.assertEqual(block.pop(), "...")
            out = default_run(path).stdout.decode("utf-8")
            # as a terminal shows it: of the status line only the last state
            seen = [line.rstrip("\r").split("\r")[-1] for line in out.split("\n")]
            self.assertEqual(block, seen[: len(block)])

    def test_options_in_the_commands_exist(self):
        commands = re.findall(r"microgpt\.py [^\n`]*", README)
        options = set(re.findall(r"--(\w+)", " ".join(commands)))
        self.assertGreater(len(options), 3)
        self.assertLessEqual(options, {f.name for f in fields(Settings)})

    def test_prompt(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            example = doctest.DocTestParser().get_doctest(README, {}, "README", None, 0)
            example.examples = [e for e in example.examples if "model" not in e.source]
            result = doctest.DocTestRunner().run(example)
        self.assertEqual(result.failed, 0, out.getvalue())
        self.assertGreaterEqual(result.attempted, 4)

    def test_trained_model_to_play_with(self):
        (block,) = (block for block in blocks() if block[0].startswith("python -i"))
        command = re.fullmatch(r'python -i -c "(.+)"', block[0]).group(1)
        prompt = block[1].replace(">>> ", "")
        command = command.replace("num_steps=500", "num_steps=20")
        check = "assert len(names) == 3 and set(map(type, names)) == {str}"
        script = f"{command}\nnames = {prompt}\n{check}"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_no_longer_than_three_screens(self):
        self.assertLessEqual(len(README.splitlines()), 180)
