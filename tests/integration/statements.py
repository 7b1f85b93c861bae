"""How many statements a step runs, by Django's cursors and by those of apps/core/rows.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import rows


@dataclass
class Statements:
    """Their texts, once it is over; savepoints do not count."""

    ours: list[str] = field(default_factory=list)
    djangos: list[str] = field(default_factory=list)


@contextmanager
def counted_apart() -> Iterator[Statements]:
    found = Statements()
    real = rows.Cursor

    class Counting(real):  # type: ignore[misc,valid-type]
        def execute(self, query: str, *args: object, **fields: object) -> object:
            found.ours.append(query)
            return super().execute(query, *args, **fields)

    with mock.patch.object(rows, "Cursor", Counting), CaptureQueriesContext(connection) as seen:
        yield found
    found.djangos.extend(q["sql"] for q in seen if "SAVEPOINT" not in q["sql"])


@contextmanager
def counted() -> Iterator[list[str]]:
    """The texts of both, once it is over."""
    texts: list[str] = []
    with counted_apart() as found:
        yield texts
    texts.extend([*found.ours, *found.djangos])
