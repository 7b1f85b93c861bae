"""The request that a schedule keeps: the front door's body, without when and to whom; what differs for a person is kept with them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from apps.core import crypto
from apps.ingest.bodies import NotificationBody
from apps.schedules.bodies import ScheduledBody

_APART = ("user_id", "recipient", "recipients", "schedule", "schedule_at", "expiry_at", "event_id", "idempotency_key")
Json = dict[str, Any]


def content_of(body: ScheduledBody) -> Json:
    """What is kept once: fields that say nothing are left out."""
    said: Json = msgspec.to_builtins(body)
    if said["message"] is not None:
        said["message"] = {name: value for name, value in said["message"].items() if value}
    return {name: value for name, value in said.items() if name not in _APART and value not in (None, {})}


def differences_of(body: ScheduledBody) -> dict[str, Json]:
    """By user_id, for those whose item says more than who it is."""
    found = {}
    for item in body.recipients or []:
        said: Json = msgspec.to_builtins(item)
        more = {name: value for name, value in said.items() if name != "user_id" and value is not None}
        if more:
            found[item.user_id] = more
    return found


def seal(said: Json, owner_id: UUID) -> bytes:
    return crypto.encrypt(msgspec.json.encode(said), bound_to=owner_id.bytes) if said else b""


def opened(sealed: bytes, owner_id: UUID) -> Json:
    """Raises UndecipherableError."""
    said: Json = msgspec.json.decode(crypto.decrypt(sealed, bound_to=owner_id.bytes)) if sealed else {}
    return said


def recipients_said(people: Sequence[tuple[str, Json]]) -> list[Json]:
    return [{"user_id": user_id, **more} for user_id, more in people]


def body_of(content: Mapping[str, Any], people: Sequence[tuple[str, Json]]) -> NotificationBody:
    """To be sent now, to these."""
    said = {**content, "recipients": recipients_said(people)}
    return msgspec.convert(said, NotificationBody)
