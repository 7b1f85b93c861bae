"""Acme's spring campaign, as it stands before anybody agreed to it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.campaigns.models import Campaign, Policy, Run, Variant
from apps.channels.models import Price
from apps.core import ids
from apps.core.types import Tenant

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
EURO = 1_000_000
CENT = 10_000


def campaign(tenant: Tenant, *, templates: tuple[str, ...] = ("spring",), **fields: Any) -> Campaign:
    said = {"name": "Spring", "channels": ["sms"], "audience": {"include": {"everyone": True}}, "created_by": "mira"}
    made: Campaign = Campaign.objects.create(tenant_id=tenant.id, **{**said, "changed_by": "mira", **fields})
    for position, key in enumerate(templates):
        Variant.objects.create(
            tenant_id=tenant.id, campaign=made, position=position, name="ABCDEFGH"[position], template_key=key
        )
    return made


def run(of: Campaign, *, number: int = 1, stamp: int = 1_800_000_000_000, **fields: Any) -> Run:
    made: Run = Run.objects.create(
        tenant_id=of.tenant_id,
        campaign=of,
        number=number,
        occurrence=f"{number}",
        stamp=stamp + number,
        **{"definition": {}, "people_before": NOON, **fields},
    )
    return made


def policy(tenant: Tenant, **fields: Any) -> Policy:
    made: Policy = Policy.objects.create(tenant_id=tenant.id, **fields)
    return made


def price(channel: str, low: int, high: int | None = None, **fields: Any) -> Price:
    """Micros for each part."""
    said = {"tenant_id": None, "valid_from": datetime(2027, 1, 1, tzinfo=UTC), "currency": "EUR"}
    made: Price = Price.objects.create(channel=channel, low=low, high=high or low, **{**said, **fields})
    return made


def somebody() -> UUID:
    return ids.new()
