"""Does the README still say what the program does, and does all of it that can be run work?"""

import contextlib
import gc
import hashlib
import io
import math
import os
import random
import re
import shutil
import textwrap
from unittest import mock

import microgpt
from tests import KOREAN_NAMES, ROOT, SOURCE, InFolder, benchmark, call, watched_training

README = (ROOT / "README.md").read_text(encoding="utf-8")
INPUT = (ROOT / "input.txt").read_text(encoding="utf-8").split()


class Blocks(InFolder):
    def test_show_what_they_print(self):
        """All blocks of Python, pasted one after the other; the first of Play is the whole run."""
        self.addCleanup(gc.enable)
        gc.disable()
        shutil.copy(ROOT / "input.txt", "input.txt")
        blocks = re.findall(r"^```python\n(.*?)^```\n(?:```\n(.*?)^```\n)?", README, re.M | re.S)
        self.assertGreater(len(blocks), 9)
        namespace, run = {}, ""
        for code, shown in blocks:
            if code.startswith("for h, (keys"):
                continue
            training = mock.patch.object(microgpt, "train", watched_training)
            with training, contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, namespace)
            if "run(docs, settings)" in code:
                run = out.getvalue()
            else:
                self.assertEqual(out.getvalue(), shown, code)
        self.check_run(run)
        self.check_parameters(namespace["state_dict"])

    def check_run(self, run):
        """It is the published run, to the byte, and what the page says of it."""
        sha256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"
        self.assertEqual((hashlib.sha256(run.encode()).hexdigest(), len(run)), (sha256, 31431))
        (shown,) = re.findall(r"^```\n(num docs.*?)\.\.\.\n```$", README, re.M | re.S)
        in_the_end = re.sub(r"step.*\r(step.*)\r", r"\1", run)  # as a terminal shows it
        self.assertTrue(in_the_end.startswith(shown), in_the_end)
        known = set(re.findall(r"^sample ..: (.*)", run, re.M)) & set(INPUT)
        self.assertIn("kamon", known)
        self.assertIn(f"{len(known)} of the 20 samples, such as `kamon`, are among them", README)
        self.assertIn(f"{len(INPUT):,} first names", README)
        shuffled = list(INPUT)
        random.Random(42).shuffle(shuffled)
        self.assertEqual(known & set(shuffled[:1000]), set())  # in 1,000 steps it saw only these
        losses = [float(loss) for loss in re.findall(r"loss (\d\.\d{4})\r", run)]
        means = [f"{sum(losses[i : i + 100]) / 100:.2f}" for i in range(0, 1000, 100)]
        curve, guessing = re.findall(r"^  line \[(.*)\]$", README, re.M)
        self.assertEqual(curve, ", ".join(means))
        self.assertEqual(guessing, ", ".join([f"{math.log(27):.2f}"] * 10))

    def check_parameters(self, state_dict):
        told, total = {}, 0
        for names, *numbers in re.findall(r"^\| (`.*) \| (\d+)×(\d+).* \| (\d+) \|$", README, re.M):
            names = re.findall(r"`(?:layer0\.)?(\w+)`", names)
            n_out, n_in, count = map(int, numbers)
            self.assertEqual(count, len(names) * n_out * n_in)
            told.update(dict.fromkeys(names, (n_out, n_in)))
            total += count
        shapes = {name: (len(matrix), len(matrix[0])) for name, matrix in state_dict.items()}
        self.assertEqual(told, {name.replace("layer0.", ""): s for name, s in shapes.items()})
        self.assertIn(f"All parameters of the model, {total:,} ", README)


class ThePage(InFolder):
    def test_shows_the_file_as_it_is(self):
        (shown,) = re.findall(r"^```python\n(for h, .*?)^```$", README, re.M | re.S)
        self.assertIn(textwrap.indent(shown, " " * 4), SOURCE)
        sections = re.findall(r"^- \[(.*)\]\(microgpt\.py#L(\d+)\)", README, re.M)
        lines = enumerate(SOURCE.splitlines(), 1)
        banners = [(line[6:].rstrip(" -"), str(i)) for i, line in lines if line[:6] == "# --- "]
        self.assertEqual(sections, banners)

    def test_has_commands_that_work(self):
        """All that start microgpt.py; they are cut short, so this says only that they work."""
        self.file(b"anna\nbob\n", "my_names.txt")
        os.makedirs("tests/data")
        for name in ("input.txt", "tests/data/korean_names.txt"):
            shutil.copy(ROOT / name, name)
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

    def test_has_a_benchmark_that_runs(self):
        """Its exit code is 1 if the outputs differ."""
        other = self.file(SOURCE.replace("0.08", "0.09").encode(), "other.py")
        for options, result, words in (
            ([], 0, r"ratio  .*identical in their first "),
            (["--against", str(other)], 1, r"ratio  .*outputs differ:\n  step    1 "),
            (["--against", "nowhere"], "nowhere", r"alternating"),
        ):
            arguments = ["", str(KOREAN_NAMES), "--steps=2", "--rounds=1", *options]
            argv = mock.patch("sys.argv", arguments)
            with argv, contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertIn(str(result), str(benchmark.main()))
            self.assertRegex(out.getvalue(), f"(?s){words}")
