"""Acme's campaigns on their way: launched, expanded page by page, sent through whatever carries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audience.addresses import address_hash
from apps.audience.models import Endpoint, Recipient
from apps.campaigns import expanding, firing, launching, preparing, settling
from apps.campaigns.models import Campaign, Run, Variant, Wave
from apps.channels.models import Alert
from apps.core import clock, crypto, ids
from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.ledger.models import Delivery, Notification
from tests.integration import templates_cast

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
LETTER = "<p>Spring is here, {{ recipient.user_id }}.</p><p><a href='{{ vars.unsubscribe_url }}'>Stop</a></p>"


class Clock:
    """What apps.core.clock says from now on; by default a minute ahead of those who are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: datetime | None = None) -> None:
        self.now = now or clock.now() + timedelta(minutes=1)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def acme() -> Tenant:
    tenant = templates_cast.tenant()
    templates_cast.publish(tenant, "spring", templates_cast.email(LETTER))
    return tenant


def people(
    tenant: Tenant, count: int, *, prefix: str = "u", addresses: Sequence[str] = (), **fields: Any
) -> list[UUID]:
    """Each with an email address of their own, or those given; in the order of their ids."""
    rows = Recipient.objects.bulk_create(
        [Recipient(tenant_id=tenant.id, user_id=f"{prefix}{n}", **fields) for n in range(count)]
    )
    made = []
    for n, row in enumerate(rows):
        id_, address = ids.new(), addresses[n] if addresses else f"{row.user_id}@acme.test"
        made.append(
            Endpoint(
                id=id_,
                tenant_id=tenant.id,
                recipient_id=row.id,
                channel="email",
                kind="email",
                sealed=crypto.encrypt(address.encode(), bound_to=id_.bytes),
                address_hash=address_hash(tenant.id, Channel.EMAIL, address),
                masked=f"{address[0]}***@{address.rpartition('@')[2]}",
                verified_at=clock.now(),
            )
        )
    Endpoint.objects.bulk_create(made)
    return [row.id for row in rows]


def campaign(
    tenant: Tenant, *, templates: Sequence[str] = ("spring",), weights: Sequence[int] = (), **fields: Any
) -> Campaign:
    said = {"name": "Spring", "mode": "test", "channels": ["email"], "audience": {"include": {"everyone": True}}}
    made: Campaign = Campaign.objects.create(tenant_id=tenant.id, created_by="mira", changed_by="mira", **said | fields)
    for position, key in enumerate(templates):
        Variant.objects.create(
            tenant_id=tenant.id,
            campaign=made,
            position=position,
            name="ABCDEFGH"[position],
            template_key=key,
            weight=weights[position] if weights else 1,
        )
    return made


def launch(of: Campaign) -> None:
    launching.launch(campaign_id=of.id, tenant_id=of.tenant_id, by="mira", now=clock.now())


def begin() -> None:
    """Fires and prepares whatever is due."""
    while preparing.freeze_next(clock.now()):
        pass
    while firing.fire_next(clock.now()):
        pass
    while preparing.prepare_next(clock.now()):
        pass


def expand(size: int = 1_000, most: int = 1_000) -> list[int]:
    """All pages that are due; the people of each."""
    pages: list[int] = []
    while len(pages) < most and (page := expanding.expand_next(clock.now(), size)) is not None:
        pages.append(page.people)
    return pages


def started(of: Campaign, size: int = 1_000) -> Run:
    launch(of)
    begin()
    expand(size)
    return run_of(of)


def settle() -> None:
    settling.settle_all(clock.now())


def run_of(of: Campaign) -> Run:
    found: Run = Run.objects.of(of.tenant_id).filter(campaign_id=of.id).latest("number")
    return found


def waves(run: Run) -> list[Wave]:
    return list(Wave.objects.of(run.tenant_id).filter(run_id=run.id).order_by("position"))


def asked(run: Run) -> list[UUID]:
    """The people who have a notification of it, each as often as they have."""
    rows = Notification.objects.of(run.tenant_id).filter(broadcast_id=run.id)
    return sorted(rows.values_list("recipient_id", flat=True))


def fates(run: Run) -> list[tuple[str, str]]:
    """(status, reason) of its deliveries."""
    rows = Delivery.objects.of(run.tenant_id).exclude(variant=None)
    mine = Notification.objects.of(run.tenant_id).filter(broadcast_id=run.id).values("id")
    return sorted(rows.filter(notification_id__in=mine).values_list("status", "reason"))


def status(of: Campaign) -> tuple[str, str]:
    of.refresh_from_db()
    return of.status, run_of(of).status


def alerts() -> list[tuple[str, str]]:
    """(kind, text) of what somebody of Acme still has to look at."""
    rows = Alert.objects.all_tenants().filter(ended_at=None, tenant__slug="acme").order_by("id")
    return list(rows.values_list("kind", "text"))
