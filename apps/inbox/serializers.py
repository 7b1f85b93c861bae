"""The inbox's bodies and answers."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from apps.core.bodies import Answer, Body


class InboxTokenBody(Body, frozen=True):
    """`expires_in`: seconds."""

    expires_in: Annotated[int, Meta(ge=60, le=86_400)] = 3_600


class InboxToken(Answer):
    """Give `token` to the person's browser; keep it out of logs and URLs that are not the stream's."""

    token: str
    expires_at: datetime


class InboxEntry(Answer):
    id: str
    event_type: str
    category: str
    title: str
    body: str
    action_url: str
    icon: str
    created_at: datetime
    seen_at: datetime | None
    read_at: datetime | None
    archived_at: datetime | None


class InboxCounts(Answer):
    """Neither archived nor expired. A badge shows `unseen_count`."""

    unread_count: int
    unseen_count: int


class InboxPage(InboxCounts):
    """Newest first."""

    data: list[InboxEntry]
    has_more: bool
    next_cursor: str | None
