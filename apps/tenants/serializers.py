"""The audit log as the API gives it."""

from datetime import datetime
from typing import Any

from apps.core.bodies import Answer


class AuditEntryAnswer(Answer):
    """`changes`: field -> [before, after], or "changed" where the values are not kept. `object_type`: e.g. events.eventtype.
    `actor_type`: user, key, command, person (who erased their own data) or system (what happens by itself)."""

    id: str
    at: datetime
    actor: str
    actor_type: str
    action: str
    object_type: str
    object_id: str
    label: str
    sentence: str
    changes: dict[str, Any]
    request_id: str


class AuditPage(Answer):
    data: list[AuditEntryAnswer]
    has_more: bool
    next_cursor: str | None
