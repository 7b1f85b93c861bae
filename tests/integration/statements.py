"""How many statements a step runs, by Django's cursors and by those of apps/core/rows.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import rows


@contextmanager
def counted() -> Iterator[list[str]]:
    """Their texts, once it is over; savepoints do not count."""
    texts: list[str] = []
    real = rows.Cursor

    class Counting(real):  # type: ignore[misc,valid-type]
        def execute(self, query: str, *args: object, **fields: object) -> object:
            texts.append(query)
            return super().execute(query, *args, **fields)

    with mock.patch.object(rows, "Cursor", Counting), CaptureQueriesContext(connection) as seen:
        yield texts
    texts.extend(q["sql"] for q in seen if "SAVEPOINT" not in q["sql"])
