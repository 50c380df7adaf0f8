"""Does the benchmark tell whether another script does the same, and how fast?

Scripts that are right, that differ in one digit, that crash, and that never print.
"""

import gc
import subprocess
import sys

from tests import PIPES, ROOT, InFolder, benchmark


class TheBenchmark(InFolder):
    def setUp(self):
        super().setUp()
        self.dataset = self.folder / "names.txt"
        self.dataset.write_text("ab\nba\n", encoding="utf-8")

    def compare(self, source, *options):
        script = self.folder / "script.py"
        script.write_text(source, encoding="utf-8")
        command = [sys.executable, "tests/benchmark.py", self.dataset, "--against", script]
        command += ["--steps", "4", "--rounds", "1", *options]
        done = subprocess.run([*map(str, command)], cwd=ROOT, **PIPES)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_the_same_program(self):
        code, out, err = self.compare((ROOT / "microgpt.py").read_text(encoding="utf-8"))
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"  ratio +\d+\.\d\d   \(\d")
        self.assertIn("outputs identical", out)

    def test_a_program_that_differs_in_one_digit(self):
        source = (ROOT / "microgpt.py").read_text(encoding="utf-8")
        other = source.replace("loss {loss:.4f}", "loss {loss + 1e-4 * (step == 3):.4f}")
        self.assertNotEqual(source, other)
        code, out, _ = self.compare(other)
        self.assertEqual(code, 1)
        self.assertEqual(out.count("step    3 / 1000"), 2)
        self.assertIn("outputs differ", out)

    def test_programs_that_fail(self):
        for source, message in (
            ("print('1', end='\\r')\nraise SystemError('gone')", "exit status 1 SystemError: gone"),
            ("import time; time.sleep(60)", "printed nothing for 1 seconds"),
            ("print('hello')", "no status lines"),
        ):
            with self.subTest(message):
                code, _, err = self.compare(source, "--patience", "1")
                self.assertEqual(code, 1)
                self.assertIn(message, err)

    def test_the_parts_of_a_step(self):
        self.addCleanup(gc.enable)
        numbers = benchmark.measure(["ab", "ba"], 3, n_embd=4, n_head=2)
        # three positions, of 27 logits, 12 matrices of 4 by 4 and 4 numbers in attention each way
        self.assertEqual(numbers["multiply_adds"], 3 * (27 * 4 + 12 * 4 * 4) + 4 * 3 * 4)
        self.assertEqual(
            sorted(numbers),
            ["adam", "backward", "fastest", "forward", "multiply_adds", "nodes", "peak"],
        )
        for name in ("adam", "backward", "fastest", "forward", "nodes"):
            self.assertGreater(numbers[name], 0, name)

    def test_the_floor(self):
        command = [sys.executable, "tests/benchmark.py", str(self.dataset), "--floor"]
        out = subprocess.check_output(command, cwd=ROOT).decode()
        self.assertRegex(out, r"bare loop: \d+ ns\n")
