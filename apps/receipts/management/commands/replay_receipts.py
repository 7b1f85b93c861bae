"""Receipts are applied again: by the id of their call, or all of a time."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.channels.selectors import account_by_key
from apps.core import clock
from apps.receipts.keeping import replay, replay_range


class Command(BaseCommand):
    help = "Apply stored receipt calls again: by id, or all that came in a time. An event that was recorded before counts once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=UUID, help="ids of calls, as in the address of their admin page")
        parser.add_argument(
            "--from", dest="start", type=_moment, help="ISO 8601, e.g. 2027-03-01T12:00; without an offset UTC"
        )
        parser.add_argument("--to", dest="end", type=_moment, help="exclusive; now if it is left out")
        parser.add_argument("--account", help="only calls of the provider account of this key")
        parser.add_argument("--parked", action="store_true", help="only calls that were set aside")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["ids"]) == bool(options["start"]):
            raise CommandError("Name ids of calls, or a time with --from.")
        if options["ids"]:
            count = replay(options["ids"])
        else:
            count = replay_range(
                start=options["start"],
                end=options["end"] or clock.now(),
                account_id=_account_id(options["account"]),
                only_parked=options["parked"],
            )
        self.stdout.write(f"{count} will be applied again within seconds.")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _account_id(key: str | None) -> UUID | None:
    if key is None:
        return None
    account = account_by_key(key)
    if account is None:
        raise CommandError(f"There is no provider account {key}.")
    return account.id
