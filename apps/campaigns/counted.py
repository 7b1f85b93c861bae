"""What became of a page."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Counted:
    """`seen`: people read, the last of them `last`; `made`: notifications; `repeated`: who had one already. `sentence`: why the run cannot
    go on."""

    seen: int
    made: int
    held_out: int
    repeated: int
    last: UUID | None
    queues: frozenset[str]
    sentence: str = ""
