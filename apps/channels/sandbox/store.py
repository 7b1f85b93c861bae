"""The sandbox's own memory: one SQLite file with the last messages and the receipts still to be sent."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

KEPT = 50_000
"""Or up to a fifth more, until the oldest are dropped together."""
# no index of what is looked for: two of them took a quarter of each message's time, and a look through all takes 20 ms
_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, at REAL NOT NULL, channel TEXT NOT NULL, account TEXT NOT NULL,
    reference TEXT NOT NULL, delivery TEXT NOT NULL, tenant TEXT NOT NULL, category TEXT NOT NULL, address TEXT NOT NULL,
    platform TEXT NOT NULL, sender TEXT NOT NULL, content TEXT NOT NULL, behaviour TEXT NOT NULL, answer TEXT NOT NULL,
    taken INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (delivery TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipt (
    event_id TEXT PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, due REAL NOT NULL, reference TEXT NOT NULL,
    message_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipt_by_due ON receipt (account, due);
"""


class Kept(NamedTuple):
    """A message as kept: `content` is JSON, `taken` 1 or 0."""

    id: str
    at: float
    channel: str
    account: str
    reference: str
    delivery: str
    tenant: str
    category: str
    address: str
    platform: str
    sender: str
    content: str
    behaviour: str
    answer: str
    taken: int


class Due(NamedTuple):
    """A receipt to be sent. `due` is both when it is sent and when it happened."""

    event_id: str
    account: str
    kind: str
    due: float
    reference: str
    message_id: str


class Store:
    """One connection: give each thread its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        # WAL without sync: survives the death of this process, which is what a test kills; not that of the machine
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_SCHEMA}")
        self._untrimmed = 0

    def add(self, messages: Sequence[Kept], receipts: Sequence[Due], refused: Iterable[str] = ()) -> None:
        """All in one transaction. `refused`: deliveries that were refused once more."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_insert("message", Kept._fields), messages)
            database.executemany(_insert("receipt", Due._fields), receipts)
            database.executemany(
                "INSERT INTO refusal VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1", [(d,) for d in refused]
            )
            self._trim(len(messages))

    def refusals(self, delivery: str) -> int:
        """How often this delivery was refused for a passing fault."""
        row = self._database.execute("SELECT times FROM refusal WHERE delivery = ?", (delivery,)).fetchone()
        return row[0] if row else 0

    def messages(self, *, limit: int, **having: str) -> list[Kept]:
        """The newest first. `having`: columns and the values they must have."""
        where, values = _where(having)
        rows = self._database.execute(
            f"SELECT {', '.join(Kept._fields)} FROM message {where} ORDER BY seq DESC LIMIT ?", (*values, limit)
        )
        return [Kept(*row) for row in rows]

    def count(self, **having: str) -> int:
        where, values = _where(having)
        return int(self._database.execute(f"SELECT count(*) FROM message {where}", values).fetchone()[0])

    def clear(self) -> None:
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            for table in ("message", "receipt", "refusal"):
                database.execute(f"DELETE FROM {table}")

    def due(self, account: str, now: float, limit: int) -> list[Due]:
        rows = self._database.execute(
            f"SELECT {', '.join(Due._fields)} FROM receipt WHERE account = ? AND due <= ? ORDER BY due LIMIT ?",
            (account, now, limit),
        )
        return [Due(*row) for row in rows]

    def next_due(self) -> dict[str, float]:
        """When each account's first receipt is due."""
        return dict(self._database.execute("SELECT account, min(due) FROM receipt GROUP BY account"))

    def sent(self, receipts: Iterable[Due]) -> None:
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "DELETE FROM receipt WHERE event_id = ?", [(receipt.event_id,) for receipt in receipts]
            )

    def close(self) -> None:
        self._database.close()

    def _trim(self, added: int) -> None:
        self._untrimmed += added
        if self._untrimmed >= KEPT // 5:
            self._untrimmed = 0
            self._database.execute("DELETE FROM message WHERE seq <= (SELECT max(seq) FROM message) - ?", (KEPT,))


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _where(having: dict[str, str]) -> tuple[str, tuple[Any, ...]]:
    return ("WHERE " + " AND ".join(f"{name} = ?" for name in having) if having else "", tuple(having.values()))
