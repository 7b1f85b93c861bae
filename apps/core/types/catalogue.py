"""What can happen, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from apps.core.enums import Category, Channel, DedupBy, ResendInDoubt
from apps.core.types.choices import Grouping


@dataclass(frozen=True, slots=True)
class Critical:
    """Why an event type is to be critical, who asked for it, and who approved it: somebody else (empty: nobody yet)."""

    reason: str
    asked_by: str
    approved_by: str = ""
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventType:
    """`category`: what it works as: until it is approved, one that is to be critical is transactional.

    `fallback`: channels tried one after another when one gives up, e.g. (PUSH, SMS). `fallback_after`: also when there is no proof
    of arrival after that time (zero: only when it gives up). `digest_template_key`: of its summaries. `overflows`: what is over a
    frequency cap goes into a digest. `waits_for`: fuller event types about the same object; it waits `waits` for one of them."""

    id: UUID
    tenant_id: UUID
    key: str
    name: str
    category: Category
    template_key: str
    channels: tuple[Channel, ...]
    fallback: tuple[Channel, ...]
    dedup_window: timedelta
    sensitive_keys: tuple[str, ...]
    owner: str
    fallback_after: timedelta = timedelta(0)
    resend_in_doubt: ResendInDoubt = ResendInDoubt.DEFAULT
    dedup_by: DedupBy = DedupBy.CONTENT
    grouping: Grouping | None = None
    digest_template_key: str = ""
    overflows: bool = False
    waits_for: tuple[str, ...] = ()
    waits: timedelta = timedelta(0)
    critical: Critical | None = None


class Rendered(msgspec.Struct, frozen=True):
    """What goes out on one channel: `content` has the channel's fields (templates/content.py), all plain strings. `parts`: what a
    provider bills it as, the segments of an SMS."""

    content: Mapping[str, str]
    locale: str
    template_version_id: UUID | None
    version: int
    size: int
    parts: int = 1
