"""Who did what last, read anew from the ledger."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.core import clock
from apps.insights.activity import FIRST, rebuild


class Command(BaseCommand):
    help = "Make the facts about people's activity anew (when they were last sent, got, opened, clicked something), for segments."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=int, default=FIRST.days, help=f"how far to look back; {FIRST.days} if it is left out"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{rebuild(clock.now(), days=options['days']):,} rows.")
