"""The campaigns of the demo, one in every state that somebody wants to see. Each is made and brought there in one transaction, and never
again: what became of it since is left alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from msgspec import convert

from apps.campaigns import agreeing, approving, composing
from apps.campaigns.definitions import CampaignValues
from apps.campaigns.demo import groups, offers
from apps.campaigns.demo.staff import Staff
from apps.campaigns.models import Campaign
from apps.core import crypto
from apps.core.types import Tenant

Step = Callable[[Tenant, UUID, Staff, datetime], None]
# 30,000 people take about twenty minutes
_A_MINUTE = 1_500
_MARKETING = {"mode": "test", "category": "marketing"}


@dataclass(frozen=True, slots=True)
class Planned:
    """`step`: what follows when Mira has written it; None: it stays a draft."""

    name: str
    values: Mapping[str, Any]
    step: Step | None = None


def plans(now: datetime) -> tuple[Planned, ...]:
    """In the order in which they are begun."""
    tomorrow = (now + timedelta(days=1)).date()
    return (
        Planned(
            "Autumn offer: price or story?",
            {
                "channels": ["email"],
                "audience": {"include": {"list": groups.PILOT}},
                "variants": [
                    {"name": "Price", "template_key": offers.AUTUMN_PRICE.key},
                    {"name": "Story", "template_key": offers.AUTUMN_STORY.key},
                ],
                "expires_after_minutes": 7 * 24 * 60,
            },
            _launch,
        ),
        Planned(
            "The new app, west",
            {
                "channels": ["email"],
                "audience": {"include": {"segment": "west"}},
                "variants": [{"name": "A", "template_key": offers.NEW_APP.key}],
                "throttle": _A_MINUTE,
                "expires_after_minutes": 2 * 24 * 60,
            },
            _launch,
        ),
        Planned(
            "Weekend pass, at nine where you are",
            {
                "channels": ["email", "push"],
                "audience": {"include": {"segment": "paying"}},
                "variants": [{"name": "A", "template_key": offers.WEEKEND.key}],
                "schedule": {"kind": "at", "start": f"{tomorrow}T09:00", "zone": "recipient", "past": "next_day"},
                "holdout": 5,
                "expires_after_minutes": 12 * 60,
            },
            _launch,
        ),
        Planned(
            "Airport at a fixed price",
            {
                "mode": "live",
                "channels": ["sms"],
                "audience": {"include": {"segment": "newcomers"}},
                "variants": [{"name": "A", "template_key": offers.AIRPORT.key}],
                "expires_after_minutes": 3 * 24 * 60,
                "budget": {"sms": 200_000_000},
            },
            _ask,
        ),
        Planned(
            "Win back, first try",
            {"channels": ["email"], "audience": {"include": {"segment": "win-back"}}, "ramp": [1, 10, 100]},
        ),
    )


def begin(tenant: Tenant, staff: Staff, now: datetime) -> int:
    """How many are new. A campaign is known by its place in the plans: another name makes it no other one."""
    wanted = {crypto.fingerprint(tenant.id.bytes, b"seed_campaigns", bytes([n])): p for n, p in enumerate(plans(now))}
    rows = Campaign.objects.of(tenant).filter(request_key__in=list(wanted))
    known = {bytes(key) for key in rows.values_list("request_key", flat=True)}
    missing = {key: plan for key, plan in wanted.items() if key not in known}
    for key, plan in missing.items():
        with transaction.atomic():
            values = convert({**_MARKETING, "name": plan.name, **plan.values}, CampaignValues)
            made = composing.create_campaign(tenant=tenant, values=values, by=staff.mira.name, now=now, request_key=key)
            if plan.step is not None:
                plan.step(tenant, made, staff, now)
    return len(missing)


def _ask(tenant: Tenant, campaign_id: UUID, staff: Staff, now: datetime) -> None:
    note = "Prices are agreed with the airports. Goes out as soon as you say so."
    approving.ask(tenant=tenant, campaign_id=campaign_id, by=staff.mira.name, note=note, now=now)


def _launch(tenant: Tenant, campaign_id: UUID, staff: Staff, now: datetime) -> None:
    _ask(tenant, campaign_id, staff, now)
    asked = approving.standing(tenant.id, campaign_id)
    assert asked is not None
    approving.decide(
        tenant=tenant, approval_id=asked.id, by=staff.paul.name, approves=True, comment="Looks good.", now=now
    )
    agreeing.launch_by_person(tenant=tenant, campaign_id=campaign_id, actor=staff.mira, now=now)
