"""Arrays in the binary form, as PostgreSQL reads them."""

from uuid import UUID, uuid4

import pytest

from apps.core.arrays import integers, texts, uuids
from apps.core.rows import fetch

pytestmark = pytest.mark.django_db


def read(array: bytes, type_: str) -> tuple[object, ...]:
    """What PostgreSQL takes it for, its bounds, and what is in it."""
    ((kind, bounds, value),) = fetch("SELECT pg_typeof(%(it)s)::text, array_dims(%(it)s), %(it)s", {"it": array})
    assert kind == f"{type_}[]"
    return bounds, value


def test_ids_and_those_that_are_missing() -> None:
    one, two = uuid4(), UUID(int=0)
    assert read(uuids([one, two]), "uuid") == ("[1:2]", [one, two])
    assert read(uuids(id_ for id_ in (None, one, None)), "uuid") == ("[1:3]", [None, one, None])
    assert read(uuids([]), "uuid") == (None, [])


def test_integers() -> None:
    assert read(integers([0, 1, 2**31 - 1]), "integer") == ("[1:3]", [0, 1, 2**31 - 1])
    assert read(integers([]), "integer") == (None, [])


def test_texts_lose_what_postgresql_cannot_hold() -> None:
    given = ["", "NULL", '{"a",b}', "ä\N{GRINNING FACE}", "a\0b"]
    assert read(texts(given), "text") == ("[1:5]", [*given[:4], "ab"])
    assert read(texts([]), "text") == (None, [])


def test_an_id_finds_its_place_in_sorted_ids() -> None:
    ids = [uuid4() for _ in range(500)] + [UUID(int=0), UUID(int=2**128 - 1)]
    rows = fetch(
        "SELECT id, width_bucket(id, %(sorted)s) FROM unnest(%(ids)s) AS id",
        {"ids": uuids(ids), "sorted": uuids(sorted(ids, key=lambda id_: id_.int))},
    )
    assert dict(rows) == {id_: place for place, id_ in enumerate(sorted(ids), start=1)}
    assert len(rows) == 502
