"""Do the books balance?"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core import clock
from apps.ledger.balance import troubles

NAMED = 10


class Command(BaseCommand):
    help = "Check that everything accepted has ended or has work, and that no two rows say different things. Exit status 1 if not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hours", type=float, default=24, help="how far to look back; 24 if it is left out")
        parser.add_argument("--json", action="store_true", help="for machines, with every id")

    def handle(self, *args: Any, **options: Any) -> None:
        found = troubles(now=clock.now(), hours=options["hours"])
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in found]))
        for one in () if options["json"] else found:
            self.stdout.write(f"{len(one.ids)} {one.code}: {one.sentence} {', '.join(one.ids[:NAMED])}")
        if not found and not options["json"]:
            self.stdout.write("The books balance.")
        if found:
            sys.exit(1)
