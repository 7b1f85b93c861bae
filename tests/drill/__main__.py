"""`python -m tests.drill [ACT ...] [--minutes N]`: plays the acts, prints what held, ends with 1 when something broke."""

import argparse
import inspect
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.drill.acts import ACTS
from tests.drill.stage import staged
from tests.faults.conftest import ACCOUNTS
from tests.faults.outside import Outside
from tests.faults.system import System


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("acts", nargs="*", metavar="ACT", help=f"of {', '.join(ACTS)}; all by default")
    parser.add_argument(
        "--minutes", type=float, default=0.75, help="how long `provider_down` lasts (30 for the real thing)"
    )
    options = parser.parse_args()
    if unknown := set(options.acts) - set(ACTS):
        parser.error(f"there is no act {', '.join(sorted(unknown))}")
    directory = Path(tempfile.mkdtemp(prefix="ntf-drill-"))
    sys.stdout.write("Starting the system and its simulated providers\n")
    system = System(directory)
    broken = 0
    try:
        outside = Outside(system, ACCOUNTS)
        for name in options.acts or ACTS:
            sys.stdout.write(f"\n{name}: {inspect.getdoc(ACTS[name])}\n")
            began = time.monotonic()
            with staged(system, outside, name, options.minutes) as stage:
                ACTS[name](stage)
                stage.say(f"({time.monotonic() - began:.0f} s)")
                broken += sum(not holds for holds, _ in stage.claims)
    finally:
        system.stop()
        shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.write(f"\n{'All held.' if not broken else f'{broken} broke.'}\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
