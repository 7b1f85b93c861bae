"""Links to a recipient's own pages, for mails and for tenants. A link is a key: whoever has it may open the page, so a token is of
one purpose and one person, and it does not expire: people unsubscribe from old mails, too.

A token names ids only; nobody can make or change one without SECRET_KEY (core/short_tokens.py). The paths are those of pages/urls.py,
written out: workers make links and shall not load every page for it.
"""

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from apps.core import short_tokens
from apps.preferences.topics import ANY, CHANNELS, is_topic

_SETTINGS, _UNSUBSCRIBE, _VIEW = "preferences", "unsubscribe", "view"
_ID = 16


class Unsubscribing(NamedTuple):
    """What a link in a message switches off: the topic on the channel (one or `*`), for this person."""

    recipient_id: UUID
    delivery_id: UUID
    topic: str
    channel: str


def settings_token(recipient_id: UUID) -> str:
    """43 characters."""
    return short_tokens.sign(_SETTINGS, recipient_id.bytes)


def settings_url(recipient_id: UUID) -> str:
    return f"{settings.PUBLIC_URL}/preferences/{settings_token(recipient_id)}/"


def unsubscribe_token(recipient_id: UUID, delivery_id: UUID, topic: str, channel: str = ANY) -> str:
    return short_tokens.sign(_UNSUBSCRIBE, recipient_id.bytes + delivery_id.bytes + _switch(topic, channel))


@lru_cache(1024)
def _switch(topic: str, channel: str) -> bytes:
    return bytes([CHANNELS.index(channel)]) + topic.encode("ascii")


def unsubscribe_url(recipient_id: UUID, delivery_id: UUID, topic: str, channel: str = ANY) -> str:
    return f"{settings.PUBLIC_URL}/unsubscribe/{unsubscribe_token(recipient_id, delivery_id, topic, channel)}"


def view_url(delivery_id: UUID) -> str:
    """A mail in the browser."""
    return f"{settings.PUBLIC_URL}/view/{short_tokens.sign(_VIEW, delivery_id.bytes)}"


def settings_recipient(token: str) -> UUID | None:
    """Whose settings these are; None for what is no token of this purpose."""
    return _id(short_tokens.read(_SETTINGS, token))


def unsubscribing(token: str) -> Unsubscribing | None:
    payload = short_tokens.read(_UNSUBSCRIBE, token)
    if payload is None or len(payload) <= 2 * _ID + 1 or payload[2 * _ID] >= len(CHANNELS):
        return None
    topic = payload[2 * _ID + 1 :].decode("ascii", errors="replace")
    recipient_id, delivery_id = UUID(bytes=payload[:_ID]), UUID(bytes=payload[_ID : 2 * _ID])
    return Unsubscribing(recipient_id, delivery_id, topic, CHANNELS[payload[2 * _ID]]) if is_topic(topic) else None


def viewed_delivery(token: str) -> UUID | None:
    return _id(short_tokens.read(_VIEW, token))


def _id(payload: bytes | None) -> UUID | None:
    return UUID(bytes=payload) if payload is not None and len(payload) == _ID else None
