"""How recipients' doings find their delivery: a token in every push, and, where a tenant wants it, links and a pixel in mails.

A link's token carries its target, signed, so that the door behind it can send nobody anywhere else. Never tracked: critical mails,
what is not http, links to our own pages (settings, unsubscribing), whatever speaks of unsubscribing, and elements with
`data-untracked`. The text part stays as it is.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from apps.core import short_tokens
from apps.core.enums import Category, Channel
from apps.core.types import Tenant

ENGAGEMENT_TOKEN = "engagement_token"
MOST_TARGET = 2_000
_ENGAGE, _LINK, _OPEN = "engage", "link", "open"
_ANCHOR = re.compile(r"<a\b((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>", re.IGNORECASE)
_HREF = re.compile(r"(?<![\w-])(href\s*=\s*)(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_UNTRACKED = re.compile(r"unsubscri|data-untracked", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_PIXEL = '<img src="{}/o/{}.gif" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'


class Link(NamedTuple):
    """`number`: its place among the links of its mail."""

    delivery_id: UUID
    number: int
    target: str


def with_tokens(
    content: Mapping[str, str], *, tenant: Tenant, channel: Channel, category: Category, delivery_id: UUID
) -> Mapping[str, str]:
    """What leaves: the same for every attempt of a delivery."""
    if channel == Channel.PUSH:
        return {**content, ENGAGEMENT_TOKEN: engagement_token(delivery_id)}
    is_tracked = category in tenant.tracked_categories and category != Category.CRITICAL
    if channel == Channel.EMAIL and is_tracked and content.get("html"):
        return {**content, "html": tracked_html(content["html"], delivery_id, content.get("unsubscribe_url", ""))}
    return content


def tracked_html(html: str, delivery_id: UUID, unsubscribe_url: str = "") -> str:
    number = 0

    def rewritten(anchor: re.Match[str]) -> str:
        nonlocal number
        found = _HREF.search(anchor[1])
        target = unescape(found[2] if found[2] is not None else found[3]).strip() if found else ""
        if found is None or _UNTRACKED.search(anchor[0]) or target == unsubscribe_url or not _is_trackable(target):
            return anchor[0]
        number += 1
        start = anchor.start(1) - anchor.start()
        before, after = anchor[0][: start + found.start()], anchor[0][start + found.end() :]
        return f'{before}{found[1]}"{settings.PUBLIC_URL}/c/{link_token(delivery_id, number, target)}"{after}'

    pixel = _PIXEL.format(settings.PUBLIC_URL, open_token(delivery_id))
    html = _ANCHOR.sub(rewritten, html)
    ends = list(_BODY_END.finditer(html))
    place = ends[-1].start() if ends else len(html)
    return html[:place] + pixel + html[place:]


def engagement_token(delivery_id: UUID) -> str:
    """43 characters."""
    return short_tokens.sign(_ENGAGE, delivery_id.bytes)


def open_token(delivery_id: UUID) -> str:
    return short_tokens.sign(_OPEN, delivery_id.bytes)


def link_token(delivery_id: UUID, number: int, target: str) -> str:
    return short_tokens.sign(_LINK, delivery_id.bytes + number.to_bytes(2, "big") + target.encode())


def engaged_delivery(token: str) -> UUID | None:
    return _delivery(short_tokens.read(_ENGAGE, token))


def opened_delivery(token: str) -> UUID | None:
    return _delivery(short_tokens.read(_OPEN, token))


def link_of(token: str) -> Link | None:
    payload = short_tokens.read(_LINK, token)
    if payload is None:
        return None
    return Link(UUID(bytes=payload[:16]), int.from_bytes(payload[16:18], "big"), payload[18:].decode())


def _delivery(payload: bytes | None) -> UUID | None:
    return None if payload is None else UUID(bytes=payload)


def _is_trackable(target: str) -> bool:
    """Of http, elsewhere, and short enough to be carried along."""
    is_ours = target == settings.PUBLIC_URL or target.startswith(f"{settings.PUBLIC_URL}/")
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    is_web = parts.scheme.lower() in {"http", "https"} and bool(parts.netloc) and target.isprintable()
    return is_web and not is_ours and len(target.encode()) <= MOST_TARGET
