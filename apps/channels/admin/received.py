"""What the sandbox received, and in-app messages of test keys, as one list of cards, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.conf import settings

from apps.audience.selectors import recipients
from apps.channels.deadlines import Deadline
from apps.channels.selectors import sandbox_account
from apps.channels.transport import Fault, HttpRequest, exchange
from apps.core import ids
from apps.core.admin_mail import framed
from apps.core.enums import Channel, KeyMode
from apps.core.tenant_scope import bound
from apps.inbox.selectors import items_by_id
from apps.ledger.recent import recent_deliveries
from apps.tenants.selectors import tenants

SHOWN = 60
PATIENCE = 2.0


class _Kept(msgspec.Struct, frozen=True):
    """What the sandbox says about a message (sandbox/store.py); `at` in seconds since 1970."""

    id: str
    at: float
    channel: str
    delivery: str
    tenant: str
    category: str
    address: str
    sender: str
    content: dict[str, str]
    behaviour: str
    answer: str
    taken: bool


class _Answer(msgspec.Struct, frozen=True):
    messages: list[_Kept]


@dataclass(frozen=True, slots=True)
class Message:
    """One card. `title`: title or subject; `html`: a whole document for a sandboxed frame."""

    id: str
    at: datetime
    channel: Channel
    to: str
    sender: str
    tenant: str
    category: str
    title: str
    body: str
    html: str
    link: str
    delivery: str
    remark: str
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Received:
    """`problem`: why there is nothing from the sandbox, in a sentence; empty when it answered."""

    messages: Sequence[Message]
    problem: str


def received(*, channel: str = "", address: str = "") -> Received:
    """Of the tenants that are seen. One call to the sandbox of at most PATIENCE seconds, and three queries for in-app messages."""
    messages: list[Message] = []
    seen = None if bound() is None else {tenant.slug for tenant in tenants().values()}
    problem = ""
    if channel != Channel.IN_APP:
        kept, problem = _ask_sandbox({"channel": channel, "address": address})
        messages += [_of_sandbox(row) for row in kept if seen is None or row.tenant in seen]
    if channel in ("", Channel.IN_APP):
        messages += [message for message in _in_app() if address in ("", message.to)]
    return Received(sorted(messages, key=lambda message: message.at, reverse=True)[:SHOWN], problem)


def _ask_sandbox(filters: Mapping[str, str]) -> tuple[list[_Kept], str]:
    if not settings.SANDBOX_SECRET:
        return [], "It has no secret. Set NOTIFIER_SANDBOX_SECRET for this service and for the sandbox."
    query = urlencode({"limit": SHOWN, **{name: value for name, value in filters.items() if value}})
    request = HttpRequest(
        url=f"{settings.SANDBOX_URL}/messages?{query}",
        body=b"",
        headers={"Authorization": f"Bearer {settings.SANDBOX_SECRET}"},
        method="GET",
    )
    answer = exchange(sandbox_account(Channel.EMAIL), request, Deadline(PATIENCE, connect=1.0, read=PATIENCE))
    if isinstance(answer, Fault):
        return (
            [],
            f"It does not answer at {settings.SANDBOX_URL} ({answer.code}). Start it: python manage.py run_sandbox",
        )
    if answer.status == 401:
        return [], "It has another secret than this service: NOTIFIER_SANDBOX_SECRET must be the same for both."
    try:
        return msgspec.json.decode(answer.body, type=_Answer).messages, ""
    except msgspec.DecodeError:
        return [], f"Something else answers at {settings.SANDBOX_URL} (status {answer.status})."


def _of_sandbox(row: _Kept) -> Message:
    said = row.content
    behaved = "" if row.behaviour == "delivered" else f"behaves like {row.behaviour}"
    answered = "" if row.taken else f"refused: {row.answer}"
    return Message(
        id=row.id,
        at=datetime.fromtimestamp(row.at, UTC),
        channel=Channel(row.channel),
        to=row.address,
        sender=row.sender,
        tenant=row.tenant,
        category=row.category,
        title=said.get("subject") or said.get("title", ""),
        body=said.get("body") or said.get("text", ""),
        html=framed(said.get("html", "")),
        link=said.get("action_url", ""),
        delivery=row.delivery,
        remark=", ".join(filter(None, (behaved, answered))),
        is_refused=not row.taken,
    )


def _in_app() -> list[Message]:
    """They never leave the house, so the sandbox does not see them: read from the feeds."""
    rows = recent_deliveries(channel=Channel.IN_APP, mode=KeyMode.TEST, limit=SHOWN)
    items = items_by_id(row.id for row in rows)
    people: Mapping[Any, Any] = recipients({row.recipient_id for row in rows})
    return [
        Message(
            id=str(row.id),
            at=items[row.id].created_at,
            channel=Channel.IN_APP,
            to=people[row.recipient_id].user_id if row.recipient_id in people else "",
            sender="",
            tenant="",
            category=row.category,
            title=items[row.id].content.get("title", ""),
            body=items[row.id].content.get("body", ""),
            html="",
            link=items[row.id].content.get("action_url", ""),
            delivery=ids.show(ids.DELIVERY, row.id),
            remark="read" if items[row.id].read_at else "seen" if items[row.id].seen_at else "",
            is_refused=False,
        )
        for row in rows
        if row.id in items
    ]
