"""Events of a call, read one by one."""

from datetime import UTC, datetime

import pytest

from apps.channels.reading import PartlyUnreadableError, read_each
from apps.core.enums import EventKind
from apps.core.types import Receipt


def receipt(name: str) -> Receipt:
    return Receipt(name, EventKind.DELIVERED, datetime(2027, 3, 1, tzinfo=UTC))


def test_an_event_says_one_thing_several_or_nothing() -> None:
    said = {"a": receipt("a"), "b": None, "c": [receipt("c1"), receipt("c2")]}
    assert [one.event_id for one in read_each("abc", said.__getitem__)] == ["a", "c1", "c2"]
    assert read_each("", said.__getitem__) == []


def test_what_cannot_be_read_is_said_once_and_takes_nothing_with_it() -> None:
    said = {"a": receipt("a"), "d": receipt("d")}
    with pytest.raises(PartlyUnreadableError) as caught:
        read_each("abcd", said.__getitem__)
    assert [one.event_id for one in caught.value.receipts] == ["a", "d"]
    assert str(caught.value) == "2 of the call's events cannot be read: KeyError: 'b'"
