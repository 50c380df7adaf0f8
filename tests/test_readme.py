"""Does the README still say what the program does?

Its code, tables, outputs, loss curve, tasks, and the sessions at the prompt.
"""

import contextlib
import doctest
import functools
import io
import os
import random
import re
import shlex
import textwrap
import unittest
from dataclasses import fields

from microgpt import Settings, init_state_dict
from tests import KOREAN_NAMES, ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
BLOCKS = [block.splitlines() for language, block in FENCED if not language]


def table(first_column):
    """The rows of the table whose first column has this heading."""
    rows = README.split(f"\n| {first_column} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@functools.cache
def default_run(path):
    """What the program makes of a dataset with the default settings; it is run only once."""
    return run(path)


def program_run(command):
    """What `[printf TEXT |] python microgpt.py ARGUMENTS` writes."""
    text, command = re.fullmatch(r"(?:printf '(.*)' \| )?python microgpt\.py(.*)", command).groups()
    arguments = shlex.split(command)
    if not arguments:
        return default_run(ROOT / "input.txt")
    if arguments == ["tests/data/korean_names.txt"]:
        return default_run(KOREAN_NAMES)
    data = (text or "").replace(r"\n", "\n").encode()
    return run(*arguments, input=data, cwd=ROOT)


class TheReadme(unittest.TestCase):
    def test_settings(self):
        rows = [[f"`--{f.name}`", str(f.default), f.metadata["help"]] for f in fields(Settings)]
        self.assertEqual(table("option")[:-1], rows)
        self.assertEqual(table("option")[-1][0], "`--prompt`")

    def test_the_code_shown_is_that_of_the_file(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        (shown,) = (code for language, code in FENCED if language == "python")
        self.assertGreater(len(shown.splitlines()), 9)
        self.assertIn(textwrap.indent(shown, " " * 8), source)

    def test_the_parameters(self):
        state_dict = init_state_dict(Settings(), 27, random.Random(0))
        total, named = 0, []
        for names, shape, count, _ in table("name"):
            names = re.findall(r"\w+", names.replace("layer0.", ""))
            n_out, n_in = map(int, re.findall(r"\d+", shape))
            self.assertEqual(int(count), len(names) * n_out * n_in)
            for name in names:
                matrix = state_dict.get(name) or state_dict[f"layer0.{name}"]
                self.assertEqual((len(matrix), len(matrix[0])), (n_out, n_in), name)
            named += names
            total += int(count)
        self.assertEqual((total, len(named)), (4192, len(state_dict)))

    def test_how_many_samples_are_in_the_dataset(self):
        samples = re.findall(r"sample .\d: (\w*)", default_run(ROOT / "input.txt").stdout.decode())
        names = set((ROOT / "input.txt").read_text(encoding="utf-8").split())
        self.assertIn(
            f"of the 20 samples of `python microgpt.py`, {len(names & set(samples))} are", README
        )

    def test_outputs(self):
        """Each block of output is what the command in the block before it shows in a terminal."""
        shown = 0
        for (command, *_), block in zip(BLOCKS, BLOCKS[1:]):
            if not block[0].startswith("num docs: "):
                continue
            done = program_run(command)
            out = done.stdout.decode("utf-8").rstrip("\n").split("\n")
            seen = [line.rstrip("\r").split("\r")[-1] for line in out]
            whole = block[:-1] if block[-1] == "..." else block
            self.assertEqual(whole, seen[: len(whole)], command)
            self.assertEqual(block[-1] == "...", len(whole) < len(seen), command)
            self.assertEqual(done.stderr, b"")
            shown += 1
        self.assertEqual(shown, 5)

    def test_loss_curve(self):
        out = default_run(ROOT / "input.txt").stdout.decode()
        losses = [float(loss) for loss in re.findall(r"loss (\d\.\d{4})\r", out)]
        means = [round(sum(losses[i : i + 50]) / 50, 2) for i in range(0, 1000, 50)]
        (line,) = re.findall(r"^  line \[(.*)\]$", README, re.M)
        self.assertEqual([float(mean) for mean in line.split(", ")], means)

    def test_options_and_tasks_exist(self):
        commands = " ".join(re.findall(r"microgpt\.py [^\n`]*", README))
        options = set(re.findall(r"--(\w+)", commands))
        self.assertGreater(len(options), 3)
        self.assertLessEqual(options, {"prompt", *(f.name for f in fields(Settings))})
        tasks = (ROOT / "Taskfile.yml").read_text(encoding="utf-8").split("\ntasks:\n")[1]
        tasks = re.findall(r"^  ([\w:]+):$", tasks, re.M)
        named = set(re.findall(r"`task ([\w:]+)", README))
        self.assertIn("demo:korean", named)
        self.assertLessEqual(named, set(tasks))

    def test_sessions_at_the_prompt(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(ROOT)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            example = doctest.DocTestParser().get_doctest(README, {}, "README", None, 0)
            result = doctest.DocTestRunner().run(example)
        self.assertEqual(result.failed, 0, out.getvalue())
        self.assertGreaterEqual(result.attempted, 12)

    def test_files_that_it_names_exist(self):
        for name in re.findall(r"\btests/\w+\.py\b|\.ci/run\b|tests/data/\w+\.txt", README):
            self.assertTrue((ROOT / name).exists(), name)
