"""Does this program write the published run, byte for byte? Anybody can see, with a network.

    python tests/check_published.py [PYTHON]

In an empty folder it lets microgpt.py download the 32,033 names, train on them, and sample; then it
compares the sha256 of what was written. MICROGPT_NAMES may name a file with the names instead.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHA256 = "370908e0641e69cca6f3c3ae9b5abbecc13a7e203938a9f40baf1115aa36f819"


def main():
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "microgpt.py", folder)  # where no input.txt is beside it
        if os.environ.get("MICROGPT_NAMES"):
            shutil.copy(os.environ["MICROGPT_NAMES"], Path(folder, "input.txt"))
        env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([python, "microgpt.py"], cwd=folder, env=env, stdout=subprocess.PIPE)
    if done.returncode:
        return f"microgpt.py ended with exit status {done.returncode}"
    if hashlib.sha256(done.stdout).hexdigest() != SHA256:
        last = done.stdout.decode("utf-8", "replace").splitlines()[-1:]
        return f"DIFFERENT from the published run; the last line is {last}"
    print(f"identical to the published run: {len(done.stdout)} bytes, sha256 {SHA256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
