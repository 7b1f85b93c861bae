"""Likes that are grouped, mails that go into digests, and what a flush makes of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from uuid import UUID

import pytest

from apps.core import rows as sql
from apps.core.enums import Channel, WorkKind
from apps.dispatch.flushing import flush_bundles
from apps.events.models import EventType
from apps.ledger.models import Delivery, Notification
from apps.ledger.selectors import notifications
from apps.preferences.models import Preference
from apps.routing.digests import Digest, digest_of
from tests.integration.dispatch_cast import claimed, notify, route, send, tenant


def like(key: str = "post.liked", **fields: Any) -> None:
    """Grouped by what is liked, for ten minutes."""
    grouping = {"group_by": "object", "group_window_seconds": 600, "group_most": 100}
    kind = {"name": "Likes", "category": "social"} | grouping | fields
    EventType.objects.create(tenant_id=tenant(), key=key, **kind)


def liked(recipient: UUID, count: int = 1, *, about: str = "post1", first: int = 0, **fields: Any) -> list[UUID]:
    """Each by another actor, named."""
    return [
        notify(
            [recipient],
            **{
                "category": "social",
                "event_type": "post.liked",
                "object_id": about,
                "actor_id": f"a{n}",
                "data": {"actor_name": f"Actor {n}"},
                "content": {"title": "Likes", "body": f"Actor {n} likes it."},
            }
            | fields,
        )[0]
        for n in range(first, first + count)
    ]


def wants_digest(recipient: UUID, frequency: str = "daily", channel: str = "email", topic: str = "*") -> None:
    Preference.objects.create(
        tenant_id=tenant(), recipient_id=recipient, topic=topic, channel=channel, is_on=True, digest=frequency
    )


def flush(lane: str = "social") -> int:
    """Flushes what is due; how many."""
    works = [work for work in claimed(f"route.{lane}") if work.kind == WorkKind.FLUSH]
    if works:
        flush_bundles(works, monotonic() + 60)
    return len(works)


def deliver(lane: str = "social", channel: Channel = Channel.EMAIL) -> int:
    """Routes and sends."""
    route(lane)
    return send(f"send.{lane}.{channel}")


def summaries() -> list[Notification]:
    return list(Notification.objects.of(tenant()).filter(source="summary").order_by("id"))


def told() -> Digest:
    """What the only summary says."""
    (summary,) = summaries()
    digest = digest_of(notifications([summary.id])[summary.id].data)
    assert digest is not None
    return digest


def fates() -> dict[UUID, tuple[str, str, UUID | None]]:
    """By notification: (status, reason, merged into), of those with one delivery."""
    rows = Delivery.objects.of(tenant()).values_list("notification_id", "status", "reason", "merged_into")
    return {id_: (status, reason, into) for id_, status, reason, into in rows}


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """By hand, with server-side binding."""
    seen: list[str] = []
    real = sql.Cursor

    class Watching(real):  # type: ignore[valid-type, misc]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(query)
            return super().execute(query, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(sql, "Cursor", Watching)
        yield seen
