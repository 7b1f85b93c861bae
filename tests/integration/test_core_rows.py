"""Rows of statements by hand, as PostgreSQL sends them and as they are read."""

from typing import Any

import pytest

from apps.core.rows import execute, fetch

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ('{"plan": "pro", "tags": ["a", null], "n": 1}', {"plan": "pro", "tags": ["a", None], "n": 1}),
        ('"\\ud83d\\ude00 \\u00e9"', "\N{GRINNING FACE} \N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("[1.5, 1e3, true]", [1.5, 1000, True]),
        ("1e400", 10**400),
        ("1" + "0" * 400 + ".5", float("inf")),
        ("null", None),
    ],
)
def test_json_is_read_as_python_reads_it(said: str, read: Any) -> None:
    assert fetch("SELECT %(said)s::jsonb", {"said": said}) == [(read,)]


def test_no_rows_and_no_columns_are_no_rows() -> None:
    assert fetch("SELECT 1 WHERE false", {}) == []
    assert fetch("CREATE TEMPORARY TABLE none_of_it (id integer)", {}) == []
    assert fetch("INSERT INTO none_of_it VALUES (1), (2) RETURNING id", {}) == [(1,), (2,)]
    assert fetch("INSERT INTO none_of_it VALUES (3)", {}) == []
    assert execute("DELETE FROM none_of_it", {}) == 3
