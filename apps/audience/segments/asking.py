"""Conditions put to the database: planned anew each time, for the values decide which way is short."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg import Cursor
from psycopg.errors import QueryCanceled

# A million people are met in the order of an index, without their rows, rather than in a hash table of 60 MB, which each question would
# have to fill anew: memory for the small ones only, and pages of an index as near as those of a table.
SETTINGS: Mapping[str, str] = {"work_mem": "4MB", "random_page_cost": "1.1"}
# where sub-selects are joined: each worker would read all of them for itself
ALONE: Mapping[str, str] = {"max_parallel_workers_per_gather": "0"}


class TookTooLong(Exception):
    """The time was up; nothing was changed."""


def ask(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(sql, parameters, prepare=False)
        return cursor.fetchall()


def ask_within(
    sql: str, parameters: Mapping[str, Any], within_ms: int, *, settings: Mapping[str, str] | None = None
) -> list[tuple[Any, ...]]:
    """Raises TookTooLong. In a savepoint: a transaction that is open goes on. `settings`: of PostgreSQL, beside SETTINGS."""
    connection.ensure_connection()
    timeout = {"statement_timeout": str(max(1, within_ms))}
    try:
        with transaction.atomic(), _set({**SETTINGS, **(settings or {}), **timeout}):
            return ask(sql, parameters)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from None
        raise


@contextmanager
def _set(settings: Mapping[str, str]) -> Iterator[None]:
    """SET LOCAL outlives the savepoint when all goes well: what held before is put back. After an error the savepoint does that."""
    held = ask("SELECT name, current_setting(name) FROM unnest(%(names)s::text[]) AS s (name)", {"names": [*settings]})
    _put(settings)
    yield
    _put(dict(held))


def _put(settings: Mapping[str, str]) -> None:
    ask(
        "SELECT set_config(name, value, true) FROM unnest(%(names)s::text[], %(values)s::text[]) AS s (name, value)",
        {"names": [*settings], "values": [*settings.values()]},
    )
