"""`manage.py dead_letters list|replay|give-up`: what was set aside, for an operator on the command line."""

import getpass
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import ids
from apps.core.enums import Reason
from apps.ledger import dead_letters
from apps.ledger.services import give_up, replay
from apps.tenants.selectors import tenant_by_slug


class Command(BaseCommand):
    help = "Lists open dead letters of a tenant, replays them, or gives them up for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["list", "replay", "give-up"])
        parser.add_argument("tenant", help="the tenant's slug")
        parser.add_argument("--reason", choices=[reason.value for reason in Reason], help="only those with this reason")
        parser.add_argument("--limit", type=int, default=500, help="at most so many, newest first (default 500)")

    def handle(self, *, action: str, tenant: str, reason: str | None, limit: int, **_: Any) -> None:
        found = tenant_by_slug(tenant)
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        letters = dead_letters.open_letters(tenant_id=found.id, before=None, limit=limit, reason=reason or "")
        by = f"command line ({getpass.getuser()})"
        match action:
            case "replay":
                queues = replay(dead_letter_ids=[letter.id for letter in letters], by=by)
                self.stdout.write(f"Replayed {len(letters)} dead letters into {', '.join(queues) or 'no queue'}.")
            case "give-up":
                self.stdout.write(
                    f"Gave up {give_up(dead_letter_ids=[letter.id for letter in letters], by=by)} dead letters."
                )
            case _:
                self._list(letters)

    def _list(self, letters: list[dead_letters.Letter]) -> None:
        for letter in letters:
            shown = ids.show(ids.DEAD_LETTER, letter.id)
            notification = ids.show(ids.NOTIFICATION, letter.notification_id)
            self.stdout.write(
                f"{letter.created_at:%Y-%m-%d %H:%M:%S}  {shown}  {notification}  {letter.queue}  {letter.reason}"
            )
        for reason, count in Counter(letter.reason for letter in letters).most_common():
            self.stdout.write(f"{count} x {reason}: {Reason(reason).sentence}")
        if not letters:
            self.stdout.write("No dead letters.")
