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
from unittest import mock

import microgpt
from tests import KOREAN_NAMES, ROOT, SOURCE, InFolder, benchmark, call, watched_training

README = (ROOT / "README.md").read_text(encoding="utf-8")
INPUT = (ROOT / "input.txt").read_text(encoding="utf-8").split()
OUTPUT = r"> ```\n((?:> [^\n]*\n)*)> ```\n"


class Blocks(InFolder):
    def test_show_what_they_print(self):
        """All of Python, pasted one after the other; the first of Play is the published run."""
        self.addCleanup(gc.enable)
        gc.disable()
        shutil.copy(ROOT / "input.txt", "input.txt")
        blocks = re.findall(rf"^```python\n(.*?)^```\n(?:{OUTPUT})?", README, re.M | re.S)
        self.assertGreater(len(blocks), 10)
        namespace, run = {}, ""
        for code, shown in blocks:
            if code.startswith("few, "):  # exercise 5 takes half a minute: done by hand
                continue
            scope = namespace
            if "json.loads" in code:  # a new session, and another dataset
                scope = {}
                self.file(b"another\nnames\n", "input.txt")
            training = mock.patch.object(microgpt, "train", watched_training)
            with training, contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, scope)
            if "run(docs, settings)" in code:
                run = out.getvalue()
            else:
                self.assertEqual(re.sub("^", "> ", out.getvalue(), flags=re.M)[:-2], shown, code)
        self.check_run(run)
        self.check_parameters(namespace["state_dict"])

    def check_run(self, run):
        """It is the published run, to the byte, and what the page says of it."""
        sha256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"
        self.assertEqual((hashlib.sha256(run.encode()).hexdigest(), len(run)), (sha256, 31431))
        shown = re.search(OUTPUT, README).group(1).replace("> ", "").replace("...\n", "")
        in_the_end = re.sub(r"step.*\r(step.*)\r", r"\1", run)  # as a terminal shows it
        self.assertTrue(in_the_end.startswith(shown), in_the_end)
        known = set(re.findall(r"^sample ..: (.*)", run, re.M)) & set(INPUT)
        self.assertIn("kamon", known)
        self.assertShown(f"{len(known)} of the 20 samples are in it, such as `kamon`.")
        shuffled = list(INPUT)
        random.Random(42).shuffle(shuffled)
        self.assertEqual(known & set(shuffled[:1000]), set())  # in 1,000 steps it saw only these
        losses = [float(loss) for loss in re.findall(r"loss (\d\.\d{4})\r", run)]
        means = [sum(losses[i : i + 50]) / 50 for i in range(0, 1000, 50)]
        self.assertShown(f"line [{', '.join(f'{x:.2f}' for x in [losses[0], *means])}]")

    def check_parameters(self, state_dict):
        sizes = {name: f"{len(matrix)}×{len(matrix[0])}" for name, matrix in state_dict.items()}
        total = sum(len(row) for matrix in state_dict.values() for row in matrix)
        self.assertShown(
            f"{total:,} parameters: {sizes['wte']} in `wte`, {sizes['wpe']} in `wpe`, "
            f"{sizes['lm_head']} in `lm_head`, four times {sizes['layer0.attn_wq']} for attention, "
            f"and {sizes['layer0.mlp_fc1']} and {sizes['layer0.mlp_fc2']} for the MLP."
        )
        for options, count in re.findall(r"^\| `(n_embd=.*)`, ([\d,]+) parameters", README, re.M):
            settings = eval(f"Settings({options})", vars(microgpt))
            state_dict = microgpt.init_state_dict(settings, 27, random.Random(1))
            total = sum(len(row) for matrix in state_dict.values() for row in matrix)
            self.assertEqual(count, f"{total:,}")

    def assertShown(self, text):
        self.assertTrue(text in README, f"the page does not say: {text}")


class ThePage(InFolder):
    def test_has_claims_that_can_be_computed(self):
        token_ids = microgpt.Tokenizer(INPUT).encode("anna")
        self.assertIn(f"`anna` is {', '.join(map(str, token_ids))}: five predictions", README)
        scores, weights = re.findall(r": say (.*?)\. .* add up to 1: ([\d., and]+\d)\.", README)[0]
        exps = [math.exp(int(score)) for score in re.findall(r"\d+", scores)]
        shown = [f"{e / sum(exps):.2f}" for e in exps]
        self.assertEqual(shown, re.findall(r"\d\.\d\d", weights))
        self.assertIn(f"ln 27 = {math.log(27):.2f}", README)

    def test_names_what_the_file_has(self):
        """The functions in its picture, and the lines that exercises change."""
        names = re.findall(r"<code>([\w.]+)\(\)</code>", README)
        self.assertGreater(len(names), 6)
        for name in names:
            eval(name.replace("backward", "Value.backward"), vars(microgpt))
        for line in ("x = add(x, attention(", "return linear([hidden[", "p.data -= lr * "):
            self.assertEqual(SOURCE.count(f"    {line}"), 1, line)

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
