"""Rows a second of an import, phase by phase, beside COPY and INSERT ... SELECT of the same rows with nothing else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audience import models
from apps.audience.imports import services, working
from apps.audience.imports.intake import Intake
from apps.core import ids
from apps.core.types import Tenant
from apps.tenants.services import create_tenant
from tests.bench.results import Result, result
from tests.bench.world import World

ROWS = 1_000_000
MAPPING = {
    "id": "user_id",
    "mail": "email",
    "first": "attributes.first_name",
    "score": "attributes.score:number",
    "vip": "attributes.vip:bool",
}
_BARE = (
    """CREATE UNLOGGED TABLE bench_staged (user_id text, first_name text, score integer, vip boolean, rid uuid, eid uuid, sealed bytea,
    hash bytea)""",
    """INSERT INTO audience_recipient (id, tenant_id, user_id, locale, timezone, attributes, preferences_version, created_at, updated_at)
    SELECT rid, %(tenant)s, user_id, '', '', jsonb_build_object('first_name', first_name, 'score', score, 'vip', vip), 0, now(), now()
    FROM bench_staged ORDER BY user_id""",
    """INSERT INTO audience_endpoint (id, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked, platform, verified_at,
    retired_reason, last_seen_at, created_at, updated_at)
    SELECT eid, %(tenant)s, rid, 'email', 'email', sealed, hash, 'p***@example.com', '', now(), '', now(), now(), now()
    FROM bench_staged ORDER BY rid""",
)


def importing(made: World, quick: bool, rows: int = ROWS) -> dict[str, Result]:
    """The rows of both are gone afterwards. `bare`: ready-made ids, cipher texts and hashes, one connection, one transaction each.
    `cpu`: microseconds of processor time a row, of this process and of PostgreSQL: what to compare on a busy machine."""
    rows, runs = (rows // 20, 1) if quick else (rows, 3)
    found: dict[str, list[float]] = {name: [] for name in ("upload", "check", "write", "whole", "bare")}
    cpu: dict[str, dict[str, float]] = {}
    for number in range(runs):
        tenant = create_tenant(slug=f"bench-import-{number}", name="Import")
        clock = Clock(made, rows)
        _import(tenant, rows, clock)
        _clear()
        _bare(tenant, rows, clock)
        _clear()
        for name, seconds in clock.seconds.items():
            found[name].append(rows / seconds)
        found["whole"].append(rows / sum(clock.seconds[name] for name in ("upload", "check", "write")))
        cpu = clock.cpu
    bare = found.pop("bare")
    targets = {"upload": "-", "check": ">= 40,000", "write": ">= 40,000", "whole": "-"}
    return {f"import_{name}": result("rows/s", speeds, bare, targets[name], cpu=cpu) for name, speeds in found.items()}


class Clock:
    """Seconds on the wall by phase, and microseconds a row of each process."""

    def __init__(self, made: World, rows: int) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, dict[str, float]] = {}
        self._made, self._rows = made, rows

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun, own, theirs = time.perf_counter(), time.process_time(), self._made.cpu()["postgres"]
        yield
        self.seconds[name] = time.perf_counter() - begun
        used = {"python": time.process_time() - own, "postgres": self._made.cpu()["postgres"] - theirs}
        self.cpu[name] = {process: round(seconds / self._rows * 1e6, 1) for process, seconds in used.items()}


def _import(tenant: Tenant, rows: int, clock: Clock) -> None:
    pieces = list(_file(rows))
    with clock("upload"):
        import_id = _upload(tenant, pieces)
    with clock("check"):
        services.map_columns(tenant=tenant, import_id=import_id, mapping=MAPPING)
        _work()
    with clock("write"):
        services.start_import(tenant=tenant, import_id=import_id)
        _work()
    row = models.Import.objects.of(tenant).get(id=import_id)
    assert (row.state, row.created, row.added) == ("finished", rows, rows), row.error


def _upload(tenant: Tenant, pieces: list[bytes]) -> UUID:
    intake = Intake(tenant.id)
    for piece in pieces:
        intake.feed(piece)
    intake.close()
    return services.create_import(tenant=tenant, intake=intake, file_name="bench.csv", by="bench")


def _work() -> None:
    while working.work(ends=time.monotonic() + 20):
        continue


def _file(rows: int) -> Iterator[bytes]:
    yield b"id,mail,first,score,vip\r\n"
    for start in range(0, rows, 1_000):
        lines = (
            f"user_{1_000_000 + n},person{n}@example.com,Name{n % 5_000},{n % 100_000},{'yes' if n % 7 else 'no'}\r\n"
            for n in range(start, start + 1_000)
        )
        yield "".join(lines).encode()


def _bare(tenant: Tenant, rows: int, clock: Clock) -> None:
    """From the same text; what takes processor time in Python (ids, cipher texts, hashes) is made beforehand."""
    lines = ["\t".join((*_values(n), f"\\\\x{'ab' * 52}", f"\\\\x{_hash(n)}")) + "\n" for n in range(rows)]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        with clock("bare"):
            cursor.execute(_BARE[0])
            _copy(lines)
            for sql in _BARE[1:]:
                cursor.execute(sql, {"tenant": tenant.id})
        cursor.execute("DROP TABLE bench_staged")
        cursor.execute("RESET statement_timeout")


def _copy(lines: list[str]) -> None:
    raw: Any = connection.connection
    with raw.cursor() as cursor, cursor.copy("COPY bench_staged FROM STDIN") as copy:
        for start in range(0, len(lines), 10_000):
            copy.write("".join(lines[start : start + 10_000]))


def _values(n: int) -> tuple[str, ...]:
    return (
        f"user_{1_000_000 + n}",
        f"Name{n % 5_000}",
        str(n % 100_000),
        "t" if n % 7 else "f",
        str(ids.new()),
        str(ids.new()),
    )


def _hash(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def _clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("TRUNCATE audience_recipient CASCADE")
        cursor.execute("RESET statement_timeout")
        cursor.execute("CHECKPOINT")
