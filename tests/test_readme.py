"""Does the README still say what the program does, and does all of it that can be run work?"""

import contextlib
import io
import math
import os
import random
import re
import shutil
import tempfile
import textwrap
import unittest
from unittest import mock

import microgpt
from tests import NAMES_FILE, ROOT, InFolder, call, needs_names, process
from tests import watched_training as watched

README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE = (ROOT / "microgpt.py").read_text(encoding="utf-8")
NAMES = (ROOT / "input.txt").read_text(encoding="utf-8").split()


def blocks():
    """The pairs of a block of Python and its output ("" where none is shown) that can be run."""
    code_and_output = re.findall(
        r"^```python\n(.*?)^```\n(?:```\n(.*?)^```\n)?", README, re.M | re.S
    )
    return [pair for pair in code_and_output if not pair[0].startswith("for h in")]


def terminal(output):
    """What a terminal shows in the end: of the lines that overwrite each other, the last."""
    return re.sub(r"step.*\r(step.*)\r", r"\1", output)


def samples(output):
    return re.findall(r"^sample ..: (.*)", output, re.M)


def trained_on(docs):
    """The documents that the 1,000 steps of a run take."""
    docs = list(docs)
    random.Random(42).shuffle(docs)
    return docs[:1000]


class Blocks(unittest.TestCase):
    """The blocks of Python, pasted one after the other; they share the default run."""

    @classmethod
    def setUpClass(cls):
        cls.outputs, namespace = [], {}
        cls.addClassCleanup(os.chdir, os.getcwd())
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        os.chdir(folder.name)
        shutil.copy(ROOT / "input.txt", "input.txt")
        with mock.patch.object(microgpt, "train", watched):
            for code, _ in blocks():
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(code, namespace)
                cls.outputs.append(out.getvalue())
        cls.state_dict = namespace["state_dict"]
        (cls.default_run,) = (out for out in cls.outputs if out.startswith("num docs: 14803"))

    def test_show_what_they_print(self):
        shown = [output for _, output in blocks()]
        self.assertGreater(len(shown), 8)
        for (code, output), printed in zip(blocks(), self.outputs):
            if output or printed is not self.default_run:
                self.assertEqual(output, printed, code)

    def test_first_output_is_that_of_the_default_run(self):
        (shown,) = re.findall(r"^```\n(num docs.*?)\.\.\.\n```$", README, re.M | re.S)
        self.assertTrue(terminal(self.default_run).startswith(shown))

    def test_samples_that_are_not_new_were_not_seen(self):
        known = set(samples(self.default_run)) & set(NAMES)
        self.assertIn("alana", known)
        self.assertIn(f"{len(known)} of the 20 samples, such as `alana`, are among them", README)
        self.assertIn(f"{len(NAMES):,} first names", README)
        self.assertEqual(known & set(trained_on(NAMES)), set())

    def test_loss_curve(self):
        losses = [float(loss) for loss in re.findall(r"loss (\d\.\d{4})\r", self.default_run)]
        means = [f"{sum(losses[i : i + 100]) / 100:.2f}" for i in range(0, 1000, 100)]
        curve, guessing = re.findall(r"^  line \[(.*)\]$", README, re.M)
        self.assertEqual(curve, ", ".join(means))
        self.assertEqual(guessing, ", ".join([f"{math.log(27):.2f}"] * 10))

    def test_parameters(self):
        shapes = {name: (len(m), len(m[0])) for name, m in self.state_dict.items()}
        told, total = {}, 0
        for names, *numbers in re.findall(r"^\| (`.*) \| (\d+)×(\d+).* \| (\d+) \|$", README, re.M):
            names = re.findall(r"`(?:layer0\.)?(\w+)`", names)
            n_out, n_in, count = map(int, numbers)
            self.assertEqual(count, len(names) * n_out * n_in)
            told.update(dict.fromkeys(names, (n_out, n_in)))
            total += count
        self.assertEqual(told, {name.replace("layer0.", ""): s for name, s in shapes.items()})
        self.assertIn(f"All parameters of the model, {total:,} ", README)
        for options, count in re.findall(r"^\| `(n_embd=.*)`, ([\d,]+) parameters", README, re.M):
            shapes = microgpt.parameter_shapes(eval(f"Settings({options})", vars(microgpt)), 27)
            self.assertEqual(count, f"{sum(n * m for n, m in shapes.values()):,}")


class ThePage(InFolder):
    def test_shows_attention_as_it_stands_in_the_file(self):
        (shown,) = re.findall(r"^```python\n(for h in .*?)^```$", README, re.M | re.S)
        self.assertIn(textwrap.indent(shown, " " * 4), SOURCE)

    def test_maps_every_section(self):
        sections = re.findall(r"^- \[(.*)\]\(microgpt\.py#L(\d+)\)", README, re.M)
        lines = enumerate(SOURCE.splitlines(), 1)
        banners = [(line[6:].rstrip(" -"), str(i)) for i, line in lines if line[:6] == "# --- "]
        self.assertEqual(sections, banners)

    def test_compares_attention_with_an_even_spread(self):
        even = sum(1 / (len(name) + 1) for name in NAMES[:200]) / 200
        self.assertIn(f"An even spread would give {even:.0%} to BOS.", README)

    def test_names_lines_for_the_exercises_that_are_in_the_file(self):
        self.assertEqual(SOURCE.count("x = add(x, attention("), 1)
        self.assertEqual(SOURCE.count("            p.data -= lr * "), 1)
        (gelu,) = re.findall(r"let `mlp\(\)` end with `return (.*?)`\. ", README)
        values = {"hidden": [microgpt.Value(1.0)], "state_dict": {"layer0.mlp_fc2": []}, "layer": 0}
        self.assertEqual(eval(gelu, vars(microgpt), values), [])
        microgpt.tape.clear()

    def test_has_commands_that_work(self):
        """All that start microgpt.py; they are cut short, so this says only that they work."""
        (self.folder / "my_names.txt").write_text("anna\nbob\n")
        for name in ("input.txt", "tests/data/korean_names.txt"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        commands = set(re.findall(r"python microgpt\.py\b([^\n`|]*)", README))
        self.assertGreater(len(commands), 5)
        for command in commands:
            code, out, err = call(*command.split(), "--num_steps=1", "--num_samples=1")
            self.assertEqual((code, err), (0, ""), command)
            self.assertIn("\nsample  1: ", out)

    def test_names_tasks_and_files_that_exist(self):
        tasks = (ROOT / "Taskfile.yml").read_text(encoding="utf-8").split("\ntasks:\n")[1]
        named = set(re.findall(r"`task ([\w:]+)", README))
        self.assertIn("demo:korean", named)
        self.assertLessEqual(named, set(re.findall(r"^  ([\w:]+):$", tasks, re.M)))
        for name in re.findall(r"\btests/[\w/]+\.\w+|\.ci/run\b|\binput\.txt\b", README):
            self.assertTrue((ROOT / name).exists(), name)

    @needs_names
    def test_tells_how_many_published_samples_are_known(self):
        names = NAMES_FILE.read_text(encoding="utf-8").split()
        published = ROOT.parent / "shared" / "expected" / "names.stdout"
        if not published.exists():
            self.skipTest("the published output is not here")
        known = set(samples(published.read_text())) & set(names)
        self.assertIn(f"{len(known)} of the 20 in the original's published run", README)
        self.assertEqual(known & set(trained_on(names)), set())

    def test_has_a_benchmark_that_runs(self):
        """Its exit code is 1 if the outputs differ."""
        other = self.folder / "other.py"
        other.write_text(SOURCE.replace("0.08", "0.09"), encoding="utf-8")
        for options, code, words in (
            ([], 0, b"ratio  .*identical in their first "),
            (["--against", other], 1, b"ratio  .*outputs differ:\n  step    1 "),
            (["--against", "nowhere"], 1, b"alternating"),
        ):
            start = "from tests.benchmark import main; raise SystemExit(main())"
            done = process(*options, "--steps=2", "--rounds=1", code=start)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertRegex(done.stdout.replace(b"\r\n", b"\n"), b"(?s)" + words)
            self.assertLessEqual(done.stderr.count(b"\n"), 1)
