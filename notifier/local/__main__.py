"""`python -m notifier.local up`: run everything. `... clean`: stop and remove what an earlier run left behind."""

import os
import sys
from pathlib import Path

from notifier.local.console import console_for
from notifier.local.holding import ServerError, hold
from notifier.local.postgres import Postgres
from notifier.local.up import Plan, Runner

_PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    console = console_for(sys.stdout, os.environ)
    if arguments == ["up"]:
        return Runner(Plan(_PROJECT), os.environ, console).run()
    if arguments == ["clean"]:
        try:
            with hold(_PROJECT / ".local"):
                Postgres(_PROJECT / ".local", durable=False, say=console.say).remove()
        except ServerError as error:
            console.say(str(error))
            return 1
        return 0
    console.plain(__doc__ or "")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
