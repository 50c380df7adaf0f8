"""Does the benchmark run, see a difference in outputs, and say why it cannot measure?"""

import contextlib
import io
import itertools
from unittest import mock

import benchmark
from support import KOREAN_NAMES, SOURCE, InFolder


class Benchmark(InFolder):
    def test_compares_or_says_why_it_cannot(self):
        """Its clock ticks at every reading, and a reading is less than a status line."""
        for code, options, words in (
            (SOURCE, "--rounds=2 --steps=2", r"0 .*\n  ratio +\d.*\noutputs identical\n"),
            (SOURCE.replace("0.08", "0.09"), "--steps=2", r"1 .*\n  ratio .*differ: \('step    1 "),
            ("print('a\\r', end='')", "", "other.py: its status lines are fewer than two"),
            ("print('a\\rb\\r', end='')", "", "other.py: .* came all at once"),
            ("raise SystemExit(3)", "", "other.py: exit status 3"),
            ("", "--against=nowhere", ".*nowhere"),
            ("", "--rounds=0", "2 "),
            ("", "--steps=0", "2 "),
        ):
            self.file(code.encode(), "other.py")
            argv = ["", str(KOREAN_NAMES), "--rounds=1", "--against=other.py", *options.split()]
            clock = mock.patch("time.perf_counter", itertools.count().__next__)
            small = mock.patch.object(benchmark, "BUFFER", 16)
            out, err = io.StringIO(), contextlib.redirect_stderr(io.StringIO())
            with clock, small, err, mock.patch("sys.argv", argv), contextlib.redirect_stdout(out):
                try:
                    result = benchmark.main()
                except SystemExit as stop:
                    result = stop.code
            self.assertRegex(f"{result} {out.getvalue()}", rf"(?s)\A.*?{words}", options)
