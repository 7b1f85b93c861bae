"""Schedules that will send a template, and what they will send with it: for who publishes a new version of that."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.audience import selectors as audience
from apps.core import ids
from apps.core.crypto import UndecipherableError
from apps.core.enums import Channel
from apps.core.types import Tenant
from apps.events import selectors as events
from apps.schedules.models import Schedule, ScheduleRecipient, Status
from apps.schedules.requests import Json, opened
from apps.templates.payloads import Payload
from apps.templates.usage import Use

MOST = 500
PEOPLE = 3
_LIVE = (Status.ACTIVE, Status.PAUSED)


def uses(tenant: Tenant, key: str) -> Iterator[Use]:
    """Of the newest MOST that may still fire. Two queries."""
    for row, _ in _of(tenant, key):
        said = "paused" if row.status == Status.PAUSED else f"next at {row.next_fire_at:%d %b %Y %H:%M} UTC"
        yield Use("schedule", str(row), said, url=reverse("admin:schedules_schedule_change", args=[row.id]))


def payloads(tenant: Tenant, key: str) -> Iterator[Payload]:
    """As the first few people of each would get it. Two queries a schedule."""
    sensitive = {kind.key: frozenset(kind.sensitive_keys) for kind in events.using_template(tenant.id, key)}
    for row, said in _of(tenant, key):
        kind = said.get("event_type", "")
        rows = ScheduleRecipient.objects.of(tenant).filter(schedule=row).order_by("id")
        own: dict[UUID, Json] = {
            recipient_id: opened(bytes(sealed), id_)
            for id_, recipient_id, sealed in rows.values_list("id", "recipient_id", "sealed")[:PEOPLE]
        }
        people = audience.recipients(own)
        for recipient_id, more in own.items():
            if recipient_id in people:
                yield Payload(
                    user=f"schedule {row}",
                    what=f"{ids.show(ids.SCHEDULE, row.id)} to come",
                    recipient=people[recipient_id],
                    data={**said.get("data", {}), **more.get("data", {})},
                    event_type=kind,
                    object_id=said.get("object_id") or "",
                    channels=tuple(map(Channel, more.get("channels") or said.get("channels") or ())),
                    sensitive=sensitive.get(kind, frozenset()),
                )


def _of(tenant: Tenant, key: str) -> Iterator[tuple[Any, Json]]:
    types = {kind.key for kind in events.using_template(tenant.id, key) if kind.template_key == key}
    rows = Schedule.objects.of(tenant).filter(status__in=_LIVE).order_by("-id")
    for row in rows[:MOST]:
        try:
            said = opened(bytes(row.sealed), row.id)
        except UndecipherableError:
            continue
        named = said.get("template_id")
        if named == key or (not named and "message" not in said and said.get("event_type") in types):
            yield row, said
