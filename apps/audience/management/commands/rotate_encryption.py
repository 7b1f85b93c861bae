"""manage.py rotate_encryption: after a new key was put first in NOTIFIER_ENCRYPTION_KEYS or NOTIFIER_HASH_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audience.rehashing import rehash
from apps.core import sealed


class Command(BaseCommand):
    help = (
        "Seal everything under the current encryption key and hash every address under the current hash key. "
        "Works beside a running system; may be stopped and started again. When it ends without a complaint the old encryption keys "
        "can go. Old hash keys must stay while suppressions of addresses that nobody has any more are to hold: those are known "
        "by their hash only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows a transaction")

    def handle(self, *args: Any, **options: Any) -> None:
        lost = 0
        for column in sealed.registered():
            batches = list(sealed.reseal(column, size=options["batch"]))
            lost += sum(batch.lost for batch in batches)
            self.stdout.write(f"{column.model}.{column.column}: {sum(batch.renewed for batch in batches)} sealed anew")
        self.stdout.write(f"address hashes: {sum(rehash(size=options['batch']))} made anew")
        if lost:
            raise CommandError(
                f"{lost} values cannot be decrypted with the keys at hand: bring back the key that sealed them."
            )
