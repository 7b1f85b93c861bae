"""Campaigns that use a template or a segment: for who changes those."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.audience import selectors as audience
from apps.audience.segments import pages, stored
from apps.campaigns import people
from apps.campaigns.audience_words import named_in
from apps.campaigns.lifecycle import CampaignStatus
from apps.campaigns.models import Campaign, Variant
from apps.core import clock
from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.templates.payloads import Payload
from apps.templates.usage import Use

MOST = 500
PEOPLE = 5
_OVER = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED)


def templates_used(tenant: Tenant, key: str) -> Iterator[Use]:
    """Of the newest MOST that may still send. One query."""
    for row in _using(tenant, key):
        said = CampaignStatus(row.status).sentence
        yield Use("campaign", row.name, said, url=reverse("admin:campaigns_campaign_change", args=[row.id]))


def payloads(tenant: Tenant, key: str) -> Iterator[Payload]:
    """As the first few people of each would get it. A few queries for each."""
    for row in _using(tenant, key):
        found = _some(row)
        for person in audience.recipients(found).values():
            yield Payload(
                user=f"campaign {row.name}",
                what="to come",
                recipient=person,
                data=row.data or {},
                event_type=row.event_type,
                channels=tuple(map(Channel, row.channels)),
            )


def segments_used(tenant_id: UUID, segment_ids: Collection[UUID]) -> Mapping[UUID, Sequence[str]]:
    """By segment, the campaigns that name it and may still send."""
    rows = Campaign.objects.of(tenant_id).exclude(status__in=_OVER).filter(archived_at=None).order_by("-id")[:MOST]
    names = {row: named_in(row.audience or {}) for row in rows}
    known = stored.by_names(tenant_id, {name for named in names.values() for name in named})
    found: dict[UUID, list[str]] = {}
    for row, named in names.items():
        for id_ in {known[name].id for name in named if name in known} & set(segment_ids):
            found.setdefault(id_, []).append(f"campaign {row.name}")
    return found


def _using(tenant: Tenant, key: str) -> Sequence[Any]:
    used = Variant.objects.of(tenant).filter(template_key=key).values("campaign_id")
    rows = Campaign.objects.of(tenant).exclude(status__in=_OVER).filter(id__in=used, archived_at=None)
    return list(rows.order_by("-id")[:MOST])


def _some(row: Any) -> Sequence[UUID]:
    try:
        condition = people.condition_of_audience(row.tenant_id, row.audience or {}, clock.now())
    except Problem:
        # what it names is gone: it cannot be launched either
        return ()
    return pages.page_of(row.tenant_id, condition, size=PEOPLE) if condition is not None else ()
