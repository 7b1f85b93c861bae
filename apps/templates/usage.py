"""Who uses a template, asked of the rooms that know; they say so when they are made ready."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from apps.core.types import Tenant
from apps.templates import selectors

KINDS = ("event_type", "caller", "schedule", "campaign", "template")


@dataclass(frozen=True, slots=True)
class Use:
    """`kind`: of KINDS. `count`, `last_at`: of messages lately, where that is known. `url`: of its page in the admin, if it has one."""

    kind: str
    name: str
    detail: str = ""
    url: str = ""
    count: int = 0
    last_at: datetime | None = None


Source = Callable[[Tenant, str], Iterable[Use]]
_sources: list[Source] = []


def on_usage(source: Source) -> None:
    """`source(tenant, key)`: what of its room uses the template with that key."""
    if source not in _sources:
        _sources.append(source)


def usage_of(*, tenant: Tenant, key: str) -> tuple[Use, ...]:
    """In the order of KINDS, the most used first."""
    found = [*_within(tenant, key), *(use for source in _sources for use in source(tenant, key))]
    return tuple(sorted(found, key=lambda use: (KINDS.index(use.kind), -use.count, use.name)))


def _within(tenant: Tenant, key: str) -> Iterator[Use]:
    """Templates that wear a layout, or have a partial within them."""
    for one in selectors.wearers(tenant, key):
        behind = "" if one.pinned == one.current else f"; version {one.current} is published"
        yield Use("template", one.key, f"version {one.number} has version {one.pinned} within it{behind}")
