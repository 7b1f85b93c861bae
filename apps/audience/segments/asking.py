"""Conditions put to the database: planned anew each time, for the values decide which way is short."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from psycopg import Cursor
from psycopg.errors import QueryCanceled


class TookTooLong(Exception):
    """The time was up; nothing was changed."""


def ask(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(sql, parameters, prepare=False)
        return cursor.fetchall()


def ask_within(sql: str, parameters: Mapping[str, Any], within_ms: int) -> list[tuple[Any, ...]]:
    """Raises TookTooLong. In a savepoint: a transaction that is open goes on."""
    connection.ensure_connection()
    try:
        with transaction.atomic(), _limit(within_ms), Cursor(connection.connection) as cursor:
            cursor.execute(sql, parameters, prepare=False)
            return cursor.fetchall()
    except QueryCanceled:
        raise TookTooLong from None


@contextmanager
def _limit(within_ms: int) -> Iterator[None]:
    """SET LOCAL outlives the savepoint when all goes well: what held before is put back. After an error the savepoint does that."""
    before = ask("SELECT current_setting('statement_timeout')", {})[0][0]
    ask("SELECT set_config('statement_timeout', %(ms)s, true)", {"ms": str(max(1, within_ms))})
    yield
    ask("SELECT set_config('statement_timeout', %(before)s, true)", {"before": before})
