"""Conditions put to the database: planned anew each time, for the values decide which way is short."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg import Cursor
from psycopg.errors import QueryCanceled

# for one step of one question, of which a person asks a few: joins of a million people do not fit into the usual 4 MB
MEMORY = "64MB"


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
        with transaction.atomic(), _limit(within_ms):
            return ask(sql, parameters)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from None
        raise


@contextmanager
def _limit(within_ms: int) -> Iterator[None]:
    """SET LOCAL outlives the savepoint when all goes well: what held before is put back. After an error the savepoint does that."""
    before = ask("SELECT current_setting('statement_timeout'), current_setting('work_mem')", {})[0]
    _set(str(max(1, within_ms)), MEMORY)
    yield
    _set(*before)


def _set(timeout: str, memory: str) -> None:
    ask(
        "SELECT set_config('statement_timeout', %(timeout)s, true), set_config('work_mem', %(memory)s, true)",
        {"timeout": timeout, "memory": memory},
    )
