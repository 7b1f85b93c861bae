"""What can happen, and what is said about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from apps.core.enums import Category, Channel, ResendInDoubt


@dataclass(frozen=True, slots=True)
class EventType:
    """`fallback`: channels tried one after another when one gives up, e.g. (PUSH, SMS). `fallback_after`: also when there is no proof
    of arrival after that time (zero: only when it gives up)."""

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


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes out on one channel: `content` has the channel's fields (templates/content.py), all plain strings."""

    content: Mapping[str, str]
    locale: str
    template_version_id: UUID | None
    version: int
    size: int
