"""What happens to a batch: each message answered by its address, recorded, kept, its receipts planned. No sockets here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from time import time

import msgspec

from apps.channels.sandbox.behaviour import RETRY_AFTER, WORDS, Behaviour, Connection, behaviour_of
from apps.channels.sandbox.http11 import Reply
from apps.channels.sandbox.record import Line, Record, content_hash
from apps.channels.sandbox.store import Due, Kept, Store
from apps.channels.sandbox.wire import (
    SandboxAnswer,
    SandboxBatch,
    SandboxMessage,
    SandboxRefusal,
    SandboxResult,
    encode,
)

# when several messages of one call would each do something to the connection, the worst happens
_WORST_FIRST: tuple[Connection, ...] = ("down", "drop", "drip", "slow")


@dataclass(frozen=True, slots=True)
class Answer:
    """`connection`: what to do to the connection with the reply."""

    reply: Reply
    connection: Connection


class World:
    """`receipts_after`: seconds from acceptance to the first receipt and on to the next; None: never any.
    `faults`: channel to word, for all of its messages, whatever their addresses."""

    def __init__(self, store: Store, record: Record, receipts_after: float | None) -> None:
        self.faults: dict[str, str] = {}
        self._store = store
        self._record = record
        self._receipts_after = receipts_after

    def take(self, channel: str, batch: SandboxBatch) -> Answer:
        now = time()
        behaviours = [self._behaviour(channel, message) for message in batch.messages]
        connection = _worst({behaviour.connection for behaviour in behaviours})
        is_down = connection == "down"
        errors = ["down" if is_down else self._error(m, b) for m, b in zip(batch.messages, behaviours, strict=True)]
        ids = _ids(len(errors))
        kept = [
            _kept(now, channel, batch.account, *row)
            for row in zip(ids, batch.messages, behaviours, errors, strict=True)
        ]
        self._record.append(_line(row, message) for row, message in zip(kept, batch.messages, strict=True))
        receipts = [r for row, b in zip(kept, behaviours, strict=True) if row.taken for r in self._receipts(row, b)]
        refused = [row.delivery for row, b in zip(kept, behaviours, strict=True) if b.times and row.answer == b.error]
        self._store.add(kept, receipts, refused)
        return Answer(_reply(kept), connection)

    def _behaviour(self, channel: str, message: SandboxMessage) -> Behaviour:
        if fault := self.faults.get(channel):
            return WORDS[fault]
        return behaviour_of(channel, message.address)

    def _error(self, message: SandboxMessage, behaviour: Behaviour) -> str:
        if behaviour.times and self._store.refusals(message.delivery) >= behaviour.times:
            return ""
        return behaviour.error

    def _receipts(self, row: Kept, behaviour: Behaviour) -> Iterator[Due]:
        if self._receipts_after is not None:
            for number, kind in enumerate(behaviour.receipts, start=1):
                due = row.at + self._receipts_after * number
                yield Due(f"{row.id}-{number}", row.account, kind, due, row.reference, row.id)


def _worst(found: set[Connection]) -> Connection:
    return next((connection for connection in _WORST_FIRST if connection in found), "")


def _ids(count: int) -> list[str]:
    random = os.urandom(12 * count).hex()
    return [f"sbx{random[24 * n : 24 * n + 24]}" for n in range(count)]


def _kept(
    now: float, channel: str, account: str, own_id: str, message: SandboxMessage, behaviour: Behaviour, error: str
) -> Kept:
    return Kept(
        id=own_id,
        at=now,
        channel=channel,
        account=account,
        reference=message.reference,
        delivery=message.delivery,
        tenant=message.tenant,
        category=message.category,
        address=message.address,
        platform=message.platform,
        sender=message.sender,
        content=msgspec.json.encode(message.content).decode(),
        behaviour=behaviour.word,
        answer=error or "accepted",
        taken=0 if error else 1,
    )


def _line(row: Kept, message: SandboxMessage) -> Line:
    return Line(
        row.at,
        row.reference,
        row.delivery,
        row.channel,
        row.address,
        content_hash(message.content),
        row.answer,
        bool(row.taken),
    )


def _reply(kept: list[Kept]) -> Reply:
    answers = {row.answer for row in kept}
    if answers == {"down"}:
        return Reply(503, encode(SandboxRefusal("down")))
    if answers == {"throttled"}:
        return Reply(429, encode(SandboxRefusal("throttled")), {"Retry-After": str(RETRY_AFTER)})
    return Reply(200, encode(SandboxAnswer([_result(row) for row in kept])))


def _result(row: Kept) -> SandboxResult:
    if row.taken:
        return SandboxResult(row.reference, row.id)
    wait = float(RETRY_AFTER) if row.answer == "throttled" else None
    return SandboxResult(row.reference, error=row.answer, retry_after=wait)
