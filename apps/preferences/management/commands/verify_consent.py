"""manage.py verify_consent: whether the history of what people chose is whole."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.preferences import proving
from apps.tenants.selectors import tenant_by_slug


class Command(BaseCommand):
    help = "Takes the hash of every consent record again and names each person whose chain is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="only this tenant's people (its slug)")

    def handle(self, *, tenant: str | None, **_: Any) -> None:
        found = tenant_by_slug(tenant) if tenant else None
        if tenant and found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        people = records = broken = 0
        for chain in proving.chains(found.id if found else None):
            people, records = people + 1, records + chain.length
            if chain.broken_at is not None:
                broken += 1
                self.stderr.write(f"recipient {chain.recipient_id}: record {chain.broken_at} does not fit")
        if broken:
            raise CommandError(f"{broken} of {people} histories are broken.")
        self.stdout.write(f"{people} histories with {records} records are whole.")
