"""People and endpoints as the API shows them: addresses masked, nothing decrypted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audience import models
from apps.audience.selectors import recipient_ids
from apps.core import ids
from apps.core.bodies import Answer
from apps.core.enums import Channel, EndpointKind
from apps.core.pagination import PageRequest, next_cursor


class EndpointAnswer(Answer):
    """`address` is masked. `last_seen_at`: registered for the last time. `retired_at`: no longer used, and why."""

    id: str
    kind: EndpointKind
    channel: Channel
    address: str
    platform: str | None
    verified: bool
    retired_at: datetime | None
    retired_reason: str | None
    last_seen_at: datetime | None
    created_at: datetime


class EndpointPage(Answer):
    data: list[EndpointAnswer]
    has_more: bool
    next_cursor: str | None


class UserAnswer(Answer):
    """`endpoints`: the newest 100; GET .../endpoints has all."""

    user_id: str
    locale: str | None
    timezone: str | None
    attributes: dict[str, Any]
    blocked: bool
    created_at: datetime
    updated_at: datetime
    endpoints: list[EndpointAnswer]


_FIELDS = (
    *("id", "kind", "channel", "masked", "platform", "verified_at", "retired_at", "retired_reason", "last_seen_at"),
    "created_at",
)


def user(tenant_id: UUID, user_id: str) -> UserAnswer | None:
    """Three queries."""
    recipient_id = recipient_ids(tenant_id, [user_id]).get(user_id)
    fields = ("locale", "timezone", "attributes", "blocked_at", "created_at", "updated_at")
    row = models.Recipient.objects.of(tenant_id).filter(id=recipient_id).values_list(*fields).first()
    if recipient_id is None or row is None:
        return None
    locale, timezone, attributes, blocked_at, created_at, updated_at = row
    return UserAnswer(
        user_id=user_id,
        locale=locale or None,
        timezone=timezone or None,
        attributes=attributes,
        blocked=blocked_at is not None,
        created_at=created_at,
        updated_at=updated_at,
        endpoints=endpoint_page(tenant_id, recipient_id, PageRequest(limit=100, before=None)).data,
    )


def endpoint_page(
    tenant_id: UUID, recipient_id: UUID, page: PageRequest, *, channel: Channel | None = None
) -> EndpointPage:
    """Newest first; of all channels or of one."""
    rows = models.Endpoint.objects.of(tenant_id).filter(recipient_id=recipient_id)
    if channel is not None:
        rows = rows.filter(channel=channel.value)
    if page.before is not None:
        rows = rows.filter(id__lt=page.before)
    found = list(rows.order_by("-id").values_list(*_FIELDS)[: page.limit + 1])
    has_more, found = len(found) > page.limit, found[: page.limit]
    return EndpointPage(
        data=[_answer(row) for row in found],
        has_more=has_more,
        next_cursor=next_cursor(found[-1][0]) if has_more else None,
    )


def endpoint_answers(tenant_id: UUID, endpoint_ids: Iterable[UUID]) -> dict[UUID, EndpointAnswer]:
    rows = models.Endpoint.objects.of(tenant_id).filter(id__in=list(endpoint_ids)).values_list(*_FIELDS)
    return {row[0]: _answer(row) for row in rows}


def _answer(row: tuple[Any, ...]) -> EndpointAnswer:
    endpoint_id, kind, channel, masked, platform, verified_at, retired_at, retired_reason, last_seen_at, created_at = (
        row
    )
    return EndpointAnswer(
        id=ids.show(ids.ENDPOINT, endpoint_id),
        kind=EndpointKind(kind),
        channel=Channel(channel),
        address=masked,
        platform=platform or None,
        verified=verified_at is not None,
        retired_at=retired_at,
        retired_reason=retired_reason or None,
        last_seen_at=last_seen_at,
        created_at=created_at,
    )
