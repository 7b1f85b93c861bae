"""manage.py prune_audit --older-than 730: deletes older entries of the audit log, and writes into it that it did."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import clock
from apps.tenants.auditing import prune

LEAST = 30


class Command(BaseCommand):
    help = "Delete what the audit log need not keep any more. Nothing else deletes from it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=int, required=True, metavar="DAYS", help=f"at least {LEAST}")

    def handle(self, *args: Any, **options: Any) -> None:
        days: int = options["older_than"]
        if days < LEAST:
            raise CommandError(f"At least {LEAST} days are kept.")
        count = prune(before=clock.now() - timedelta(days=days))
        self.stdout.write(f"{count} entries deleted.")
