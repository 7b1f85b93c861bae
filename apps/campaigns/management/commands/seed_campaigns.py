"""manage.py seed_campaigns [--people 50000] [--login FILE]: the marketer's side of the demo tenant, alive.

Run it as often as you like: what is there stays as it is, nothing is begun twice, and a run that was killed is completed by the next.
"""

import json
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.campaigns.demo import offers
from apps.campaigns.demo.accounts import open_account
from apps.campaigns.demo.costs import set_prices, set_rules
from apps.campaigns.demo.groups import make_segments
from apps.campaigns.demo.people import gather
from apps.campaigns.demo.plans import begin
from apps.campaigns.demo.staff import ROLES, hire
from apps.campaigns.demo.wording import publish_wordings
from apps.core import clock
from apps.tenants.selectors import tenant_by_slug

SLUG, BY = "demo", "seed_campaigns"
PEOPLE = 50_000


class Command(BaseCommand):
    help = "Fill the demo tenant with people, segments, templates and campaigns. Can be run again and again, after seed_demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people", type=int, default=PEOPLE, help=f"how many there are; default {PEOPLE}")
        parser.add_argument(
            "--login", type=Path, help=f"what seed_demo --out wrote: its admin's password is that of {', '.join(ROLES)}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(SLUG)
        if tenant is None:
            raise CommandError("There is no demo tenant. First: manage.py seed_demo")
        began = monotonic()
        staff = hire(tenant, _password(options["login"]))
        people = gather(tenant, options["people"], clock.now())
        publish_wordings(tenant, offers.ALL, BY)
        with transaction.atomic():
            segments = make_segments(tenant, options["people"])
        open_account(tenant)
        set_prices(tenant)
        set_rules(tenant)
        campaigns = begin(tenant, staff, clock.now())
        self.stderr.write(
            f"New in {tenant.name}: {people:,} people, {segments} segments, {campaigns} campaigns"
            f" ({monotonic() - began:.1f} s)."
        )


def _password(login: Path | None) -> str:
    """Empty: nobody says."""
    if login is None:
        return ""
    try:
        return str(json.loads(Path(login).read_text())["admin_password"])
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"{login} is not what seed_demo --out writes: {error!r}") from None
