"""Endpoints, attempts and events of a tenant, as values."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.rows import fetch
from apps.webhooks.models import WebhookAttempt, WebhookEndpoint

RATED = 200


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    id: UUID
    url: str
    description: str
    events: tuple[str, ...]
    is_on: bool
    off_reason: str
    failing_since: datetime | None
    previous_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    id: UUID
    event_id: UUID
    kind: str
    number: int
    at: datetime
    took_ms: int
    is_success: bool
    status: int | None
    error: str
    next_at: datetime | None


_ENDPOINT = (
    *("id", "url", "description", "events", "is_on", "off_reason"),
    *("failing_since", "previous_until", "created_at"),
)
_ATTEMPT = ("id", "event_id", "kind", "number", "at", "took_ms", "is_success", "status", "error", "next_at")


def endpoint(tenant_id: UUID, endpoint_id: UUID) -> EndpointFacts | None:
    row = WebhookEndpoint.objects.of(tenant_id).filter(id=endpoint_id).values_list(*_ENDPOINT).first()
    return _endpoint(row) if row else None


def endpoints(tenant_id: UUID, *, before: UUID | None, limit: int) -> list[EndpointFacts]:
    """Newest first."""
    rows = WebhookEndpoint.objects.of(tenant_id).order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    return [_endpoint(row) for row in rows.values_list(*_ENDPOINT)[:limit]]


def attempts(
    tenant_id: UUID, endpoint_id: UUID, *, event_id: UUID | None, before: UUID | None, limit: int
) -> list[AttemptFacts]:
    """Newest first; of one event, or of all."""
    rows = WebhookAttempt.objects.of(tenant_id).filter(endpoint_id=endpoint_id).order_by("-id")
    rows = rows.filter(event_id=event_id) if event_id else rows
    rows = rows.filter(id__lt=before) if before else rows
    return [AttemptFacts(*row) for row in rows.values_list(*_ATTEMPT)[:limit]]


def lately(endpoint_ids: Iterable[UUID]) -> dict[UUID, tuple[int, int]]:
    """(how many went well, of how many) among the last RATED attempts of each; without any it is left out. One query."""
    rows = fetch(
        """SELECT e.id, count(*) FILTER (WHERE a.is_success), count(*)
        FROM unnest(%(ids)s::uuid[]) AS e(id) CROSS JOIN LATERAL (
            SELECT is_success FROM webhooks_webhookattempt WHERE endpoint_id = e.id ORDER BY id DESC LIMIT %(most)s) a
        GROUP BY e.id""",
        {"ids": list(endpoint_ids), "most": RATED},
    )
    return {id_: (well, tried) for id_, well, tried in rows}


def _endpoint(row: tuple[Any, ...]) -> EndpointFacts:
    values: tuple[Any, ...] = (*row[:3], tuple(row[3]), *row[4:])
    return EndpointFacts(*values)
