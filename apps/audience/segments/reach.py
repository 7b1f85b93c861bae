"""How many of those who are meant are reached: said by an app above, which knows of preferences and caps (AppConfig.ready())."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from apps.audience.segments.compiling import Condition
from apps.core.enums import Category, Channel


@dataclass(frozen=True, slots=True)
class Reach:
    """Of one channel. Each number is a part of the one before; `under_caps` is an estimate in any case."""

    channel: Channel
    has_address: int
    allowed: int
    not_suppressed: int
    under_caps: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """`reached`: on at least one of the channels, before caps. `zones`, `locales`: the most frequent, with how many people; "" for
    none. `is_exact`: False: worked out from a sample."""

    matched: int
    reached: int
    channels: tuple[Reach, ...]
    zones: tuple[tuple[str, int], ...]
    locales: tuple[tuple[str, int], ...]
    is_exact: bool


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """`is_in`: a message would go out, now or later, on one of the channels. `lines`: a sentence for each channel."""

    recipient_id: UUID
    user_id: str
    locale: str
    timezone: str
    is_in: bool
    lines: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The user_id, masked where it is an address: many take an email address or a number as the id of a person."""
        if "@" in self.user_id:
            name, _, domain = self.user_id.rpartition("@")
            return f"{name[:1]}***@{domain}"
        return re.sub(r"^(\+?\d{2,4})\d{4,}(\d{2})$", r"\1****\2", self.user_id)


@dataclass(frozen=True, slots=True)
class Question:
    """What would be sent: on which channels, of which category, as which event (empty: none)."""

    channels: tuple[Channel, ...]
    category: Category
    event_type: str
    now: datetime


class Reacher(Protocol):
    def funnel(self, tenant_id: UUID, condition: Condition, question: Question, *, within_ms: int) -> Funnel: ...

    def sample(
        self, tenant_id: UUID, condition: Condition, question: Question, *, most: int
    ) -> Sequence[SamplePerson]: ...


_reachers: list[Reacher] = []


def on_reach(reacher: Reacher) -> None:
    _reachers[:] = [reacher]


def reacher() -> Reacher | None:
    return _reachers[0] if _reachers else None
