"""Does the README still say what the program does, and does every command on it work?"""

import contextlib
import doctest
import functools
import io
import math
import os
import random
import re
import textwrap
from unittest import mock

import microgpt
from microgpt import Settings
from tests import ROOT, InFolder, call, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
INPUT = (ROOT / "input.txt").read_text(encoding="utf-8")


@functools.cache
def default_run():
    """The parameters that run() returns for input.txt, and what it writes; it is run only once."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        state_dict = microgpt.run(INPUT.split(), Settings())
    return state_dict, out.getvalue()


class TheReadme(InFolder):
    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(ROOT)

    def test_the_code_shown_is_that_of_the_file(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        (shown,) = (code for language, code in FENCED if language == "python")
        self.assertGreater(len(shown.splitlines()), 9)
        self.assertIn(textwrap.indent(shown, " " * 8), source)

    def test_the_parameters(self):
        shapes = {name: (len(m), len(m[0])) for name, m in default_run()[0].items()}
        told, total = {}, 0
        table = re.findall(r"^\| (`.*) \| (\d+)×(\d+).* \| (\d+) \|$", README, re.M)
        for names, *numbers in table:
            names = re.findall(r"`(?:layer0\.)?(\w+)`", names)
            n_out, n_in, count = map(int, numbers)
            self.assertEqual(count, len(names) * n_out * n_in)
            told.update(dict.fromkeys(names, (n_out, n_in)))
            total += count
        self.assertEqual(told, {name.replace("layer0.", ""): s for name, s in shapes.items()})
        self.assertIn(f"All parameters of the model, {total:,} ", README)
        larger = microgpt.init_state_dict(Settings(n_embd=32), 27, random.Random(0))
        count = sum(len(row) for matrix in larger.values() for row in matrix)
        self.assertIn(f"`python microgpt.py --n_embd 32 --num_steps 3000`, with {count:,} ", README)

    def test_outputs(self):
        """A block of output is what the command in the block before it shows in a terminal."""
        blocks = [block for language, block in FENCED if not language]
        shown = {a: b for a, b in zip(blocks, blocks[1:]) if b.startswith("num docs: ")}
        self.assertEqual(len(shown), 2)
        for command, block in shown.items():
            out = default_run()[1]
            if match := re.match(r"printf '(.*)' \| python microgpt.py (.*)", command):
                data = match[1].replace(r"\n", "\n").encode()
                _, out, _ = call(*match[2].split(), stdin=data)
            seen = re.sub(r"step.*\r(step.*)\r", r"\1", out)
            block, cut, _ = block.partition("...\n")
            self.assertEqual(block, seen[: len(block)] if cut else seen)

    def test_commands(self):
        """All that start microgpt.py: they are cut short, so this says only that they work."""
        (self.folder / "my_names.txt").write_text("anna\nbob\n")
        commands = set(re.findall(r"python microgpt\.py\b([^\n`|]*)", README))
        self.assertGreater(len(commands), 6)
        for command in commands:
            arguments = command.replace("my_names", f"{self.folder}/my_names").split()
            code, out, err = call(*arguments, "--num_steps=1", "--num_samples=1", stdin=b"ab")
            self.assertEqual((code, err), (0, ""), command)
            self.assertRegex(out, "sample  1: |usage: ")

    def test_benchmark(self):
        """It runs the naive program, too. Its exit code is 1 if the outputs differ."""
        other = self.folder / "other.py"
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        other.write_text(source.replace("0.08", "0.09"), encoding="utf-8")
        for options, code, words in (
            ([], 0, b"nodes of the graph  .*ratio  .*identical in their first "),
            (["--against", other], 1, b"ratio  .*outputs differ:\n  step    1 "),
            (["--against", "nowhere"], 1, b"alternating"),
        ):
            start = "from tests.benchmark import main; raise SystemExit(main())"
            done = run(*options, "--steps=2", "--rounds=1", code=start)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertRegex(done.stdout, b"(?s)" + words)
            self.assertLessEqual(done.stderr.count(b"\n"), 1)

    def test_tasks_and_files_exist(self):
        tasks = (ROOT / "Taskfile.yml").read_text(encoding="utf-8").split("\ntasks:\n")[1]
        named = set(re.findall(r"`task ([\w:]+)", README))
        self.assertIn("demo:korean", named)
        self.assertLessEqual(named, set(re.findall(r"^  ([\w:]+):$", tasks, re.M)))
        for name in re.findall(r"\btests/\w+\.py\b|\.ci/run\b|tests/data/\w+\.txt", README):
            self.assertTrue((ROOT / name).exists(), name)

    def test_loss_curve(self):
        losses = [float(loss) for loss in re.findall(r"loss (\d\.\d{4})\r", default_run()[1])]
        means = [f"{sum(losses[i : i + 100]) / 100:.2f}" for i in range(0, 1000, 100)]
        curve, guessing = re.findall(r"^  line \[(.*)\]$", README, re.M)
        self.assertEqual(curve, ", ".join(means))
        self.assertEqual(guessing, ", ".join([f"{math.log(27):.2f}"] * 10))
        self.assertIn(f"the default has a mean loss of {sum(losses[-200:]) / 200:.3f}", README)

    def test_sessions_at_the_prompt(self):
        def run_once(docs, settings):
            self.assertEqual((docs, settings), (INPUT.split(), Settings()))
            state_dict, out = default_run()
            print(out)
            return state_dict

        with mock.patch("microgpt.run", run_once), contextlib.redirect_stdout(io.StringIO()) as out:
            example = doctest.DocTestParser().get_doctest(README, {}, "README", None, 0)
            result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
        self.assertEqual(result.failed, 0, out.getvalue())
        self.assertGreater(result.attempted, 20)

    def test_how_many_samples_are_not_new(self):
        samples = re.findall(r"^sample ..: (.*)", default_run()[1], re.M)
        count = sum(name in INPUT.split() for name in samples)
        self.assertIn(
            f"{count} of the 20 samples of `python microgpt.py` are in its dataset", README
        )
