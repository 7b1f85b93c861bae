"""What templates were really rendered with lately, and will be: asked of the rooms that know, which say so when they are made ready."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.enums import Channel
from apps.core.types import Recipient, Tenant


@dataclass(frozen=True, slots=True)
class Payload:
    """`user`: who sends it, in words; `what`: which one it is. `channels`: those wished for, all if none. `erased`: keys of `data` whose
    values are gone; `sensitive`: keys whose values are shown to nobody. `is_gone`: nothing is left to render it with."""

    user: str
    what: str
    recipient: Recipient
    data: Mapping[str, Any]
    event_type: str = ""
    object_id: str = ""
    channels: tuple[Channel, ...] = ()
    erased: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    is_gone: bool = False


Source = Callable[[Tenant, str], Iterable[Payload]]
_sources: list[Source] = []


def on_payloads(source: Source) -> None:
    """`source(tenant, key)`: of the template with that key, newest first, as lazily as can be: whoever asks stops when it is enough."""
    if source not in _sources:
        _sources.append(source)


def payloads_of(tenant: Tenant, key: str) -> Iterator[Iterator[Payload]]:
    """Source by source, the ledger's, which has most, last."""
    for source in reversed(_sources):
        yield iter(source(tenant, key))
