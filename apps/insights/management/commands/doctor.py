"""What is wrong with this installation, and what to do about it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core import clock
from apps.insights.doctor import examine


class Command(BaseCommand):
    help = "Look at everything that sending needs; say how it is and how to mend it. Exit status 1 if anything fails."
    # it is what one runs when nothing else works
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object: {ok, findings}")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for one in examine(clock.now()):
            found.append(one)
            if not options["json"]:
                self.stdout.write(f"{one.level:<5} {one.about:<24} {one.said}")
                if one.fix:
                    self.stdout.write(f"{'':<31}{one.fix}")
        has_failed = any(one.level == "fail" for one in found)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not has_failed, "findings": [asdict(one) for one in found]}))
        if has_failed:
            sys.exit(1)
