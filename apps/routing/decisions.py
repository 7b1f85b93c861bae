"""The brain's answers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.enums import Reason


@dataclass(frozen=True, slots=True)
class Send:
    """Now, to these endpoints (None: the channel needs none). `bypassed`: the "no" that critical overrode."""

    endpoint_ids: tuple[UUID | None, ...]
    bypassed: Reason | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Not before `until`; judged again then."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Bundle:
    """Joins the bundle `key`, which is sent at `until`."""

    key: str
    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Skip:
    """Not at all."""

    reason: Reason


Decision = Send | Hold | Bundle | Skip
