"""The tests of microgpt: `python -m unittest` runs them, in this folder or in the one above."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # test files import support.py by its name
