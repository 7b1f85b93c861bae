"""The answers about what a person said, and about its proof."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from apps.core.bodies import Answer

State = Annotated[dict[str, Any] | list[Any] | None, Meta(description="`null`: nothing of its own.")]


class ConsentAnswer(Answer):
    """`number`: from 1, of this person. `what`: preference, mute, quiet_hours, digest_time, blocked_actors or suppression. `text`: what
    the person was shown; `address`, `agent`: from where, with what. `hash`: SHA-256 over the hash before it and this record."""

    number: int
    at: datetime
    what: str
    topic: str | None
    channel: str | None
    before: State
    after: State
    source: str
    text: str | None
    address: str | None
    agent: str | None
    notification_id: str | None
    previous_hash: str
    hash: str


class ChainAnswer(Answer):
    """`broken_at`: the number of the first record that is not as it was written. `head`: the latest hash; keep it, and you can prove
    later that nothing was cut off."""

    is_whole: bool
    broken_at: int | None
    records: int
    head: str


class ConsentPage(Answer):
    """The latest first. `chain`: of the whole history, not of this page."""

    data: list[ConsentAnswer]
    has_more: bool
    next_cursor: str | None
    chain: ChainAnswer
