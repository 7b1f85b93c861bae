"""The fences that mutants take out are where they were: seen here, not in the hour that `make faults` takes."""

import subprocess
import sys
from pathlib import Path

from tests.faults.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
ALL = "import django; django.setup(); from tests.faults.mutants import *; print(*[mutate(name) or name for name in MUTANTS])"


def test_each_can_be_taken_out() -> None:
    done = subprocess.run([sys.executable, "-c", ALL], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == ([*MUTANTS], "")
