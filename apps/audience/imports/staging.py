"""The rows of one file in a table of its own: unlogged, without any readable address, dropped when the import ends.

A crash of PostgreSQL empties it; then the file is checked anew from its chunks, which are logged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from apps.audience.imports.rows import Refused, fault_sealed
from apps.core.rows import fetch

_ADDRESS = "{0}_id uuid, {0}_sealed bytea, {0}_hash bytea, {0}_masked text, {0}_earlier bytea[]"
_TABLE = (
    "line integer, lane smallint, recipient_id uuid, user_id text, locale text, timezone text, attributes jsonb, "
    + _ADDRESS.format("email")
    + ", "
    + _ADDRESS.format("phone")
)
COLUMNS = ", ".join(part.split()[0] for part in _TABLE.split(", "))

_FIRST = """
UPDATE {table} s SET is_person = false FROM (
    SELECT d.ctid AS at, row_number() OVER (PARTITION BY user_id ORDER BY line) AS number FROM {table} d
    WHERE user_id IN (SELECT user_id FROM {table} GROUP BY user_id HAVING count(*) > 1)
) v WHERE s.ctid = v.at AND v.number > 1
"""
# what a later line says wins, field by field
_FOLD = """
WITH doubled AS MATERIALIZED (
    SELECT * FROM {table} WHERE user_id IN (SELECT user_id FROM {table} WHERE NOT is_person)
), people AS (
    SELECT user_id, min(line) AS line,
        (array_agg(locale ORDER BY line DESC) FILTER (WHERE locale <> ''))[1] AS locale,
        (array_agg(timezone ORDER BY line DESC) FILTER (WHERE timezone <> ''))[1] AS timezone
    FROM doubled GROUP BY user_id
), named AS (
    SELECT user_id, jsonb_object_agg(a.key, a.value ORDER BY line) AS attributes FROM doubled, jsonb_each(attributes) a GROUP BY user_id
)
UPDATE {table} s SET locale = coalesce(p.locale, ''), timezone = coalesce(p.timezone, ''),
    attributes = coalesce(n.attributes, '{{}}')
FROM people p LEFT JOIN named n USING (user_id) WHERE s.line = p.line
"""
_EXPECT = """
SELECT count(*) FILTER (WHERE r.id IS NULL),
    count(*) FILTER (WHERE r.id IS NOT NULL AND (s.locale NOT IN ('', r.locale) OR s.timezone NOT IN ('', r.timezone)
        OR r.attributes || s.attributes <> r.attributes))
FROM {table} s LEFT JOIN audience_recipient r ON r.tenant_id = %(tenant)s AND r.user_id = s.user_id
WHERE s.is_person
"""


def table_of(import_id: UUID) -> str:
    """Its name is made of hexadecimal digits only."""
    return f"audience_staged_{import_id.hex}"


def create(import_id: UUID) -> None:
    drop(import_id)
    fetch(f"CREATE UNLOGGED TABLE {table_of(import_id)} ({_TABLE}, is_person boolean NOT NULL DEFAULT true)", {})


def drop(import_id: UUID) -> None:
    fetch(f"DROP TABLE IF EXISTS {table_of(import_id)}", {})


def is_complete(import_id: UUID, count: int) -> bool:
    """Whether it is there with its `count` rows: its index is made last, and a crash of PostgreSQL leaves no row in it."""
    name = table_of(import_id)
    if fetch("SELECT to_regclass(%(index)s::text) IS NULL", {"index": f"{name}_page"}) == [(True,)]:
        return False
    return count == 0 or bool(fetch(f"SELECT 1 FROM {name} LIMIT 1", {}))


def copy_rows(import_id: UUID, text: str) -> None:
    target = f"{table_of(import_id)} ({COLUMNS})"
    with _raw_cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        copy.write(text)


def copy_faults(tenant_id: UUID, import_id: UUID, refused: Sequence[Refused]) -> None:
    columns = 'id, tenant_id, import_id, line, "column", code, sealed'
    with _raw_cursor() as cursor, cursor.copy(f"COPY audience_importfault ({columns}) FROM STDIN") as copy:
        for one in refused:
            id_, sealed = fault_sealed(one)
            first = one.wrong[0]
            copy.write_row((id_, tenant_id, import_id, one.line, first.column[:100], first.code.value, sealed))


@contextmanager
def _raw_cursor() -> Iterator[Any]:
    """psycopg's own: Django's knows no COPY."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        yield cursor


def fold(import_id: UUID) -> int:
    """Each person once: on the first of their lines stands what all of them say. How many lines are others. Needs the index."""
    names: dict[str, Any] = {"table": table_of(import_id)}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST.format(**names))
        doubled = int(cursor.rowcount)
        if doubled:
            cursor.execute(_FOLD.format(**names))
    return doubled


def finish(import_id: UUID) -> None:
    name = table_of(import_id)
    fetch(f"CREATE INDEX {name}_page ON {name} (lane, line)", {})
    fetch(f"ANALYZE {name}", {})


def expected(tenant_id: UUID, import_id: UUID) -> tuple[int, int]:
    """People who would be created, and changed."""
    ((created, changed),) = fetch(_EXPECT.format(table=table_of(import_id)), {"tenant": tenant_id})
    return created, changed


def staged_tables() -> set[UUID]:
    rows = fetch(r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'audience\_staged\_%%'", {"_": 0})
    return {UUID(hex=name.removeprefix("audience_staged_")) for (name,) in rows}
