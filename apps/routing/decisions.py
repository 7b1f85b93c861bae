"""The brain's answers. `because`: what the answer rests on, for people; it does not make two answers different."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.enums import BundleKind, Reason

Because = Mapping[str, Any]
NOTHING: Because = {}


@dataclass(frozen=True, slots=True)
class Send:
    """Now, to these endpoints (None: the channel needs none). `bypassed`: the "no" that critical overrode."""

    endpoint_ids: tuple[UUID | None, ...]
    bypassed: Reason | None = None
    because: Because = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Not before `until`; judged again then."""

    until: datetime
    reason: Reason
    because: Because = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Joins the recipient's open bundle of that kind and key on the channel, or opens one that is summed up at `until`, or as soon as
    it has `most` items. `leads`: where none is open, it goes out at once and only opens it."""

    kind: BundleKind
    key: str
    until: datetime
    reason: Reason
    most: int = 100
    leads: bool = False
    because: Because = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Skip:
    """Not at all. `into`: the notification that speaks for it."""

    reason: Reason
    because: Because = field(default_factory=dict, compare=False)
    into: UUID | None = field(default=None, compare=False)


Decision = Send | Hold | Bundle | Skip
