"""Ids: shown, read back, ordered by time, derived the same every time."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from apps.core import ids


def test_an_id_reads_back_as_it_was_shown() -> None:
    value = UUID("019aa3e0-1234-7abc-8def-0123456789ab")
    shown = ids.show("nt", value)
    assert shown == "nt_01kahy04hmfay8vvr14d2pf2db"
    assert ids.read("nt", shown) == value
    assert ids.read("nt", shown.upper().replace("NT_", "nt_")) == value


@pytest.mark.parametrize("text", ["", "nt_", "nt_01", "dl_01kahy04hmfay8vvr14d2pf2db", "nt_u1kahy04hmfay8vvr14d2pf2db"])
def test_what_is_no_such_id_reads_as_none(text: str) -> None:
    assert ids.read("nt", text) is None


def test_too_large_a_number_is_no_id() -> None:
    assert ids.read("nt", "nt_" + "z" * 26) is None


def test_new_ids_increase_and_are_version_seven() -> None:
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(made)
    assert {id_.version for id_ in made} == {7}


def test_derived_ids_are_the_same_for_the_same_input_and_keep_the_time() -> None:
    source = ids.new()
    one, again, other = ids.derived(source, "push", 1), ids.derived(source, "push", 1), ids.derived(source, "sms", 1)
    assert one == again != other
    assert one.version == 8
    assert one.variant == "specified in RFC 4122"
    assert ids.time_of(one) == ids.time_of(source)


def test_the_recipe_of_derived_ids_stays_what_it_is() -> None:
    """Ids in the database were made by it: another one would make a second of each."""
    source, person = UUID("019aa3e0-1234-7abc-8def-0123456789ab"), UUID("0199f000-0000-7000-8000-000000000001")
    assert ids.derived(source, "email", person) == UUID("019aa3e0-1234-8abc-8ff5-54756edfb593")
    assert ids.derived(source, "email", "") == UUID("019aa3e0-1234-8abc-b4fe-101e5802c056")
    assert ids.derived(source, "email", str(person)) == UUID("019aa3e0-1234-8abc-b9d1-ecfbca587038")


def test_a_bound_is_the_smallest_id_of_its_millisecond() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    assert ids.time_of(ids.bound(moment)) == moment
    assert ids.bound(moment).int & (1 << 80) - 1 == 0


def test_any_shown_form_is_found() -> None:
    value = ids.new()
    assert ids.find(str(value)) == value
    assert ids.find(f" {ids.show('dl', value)} ") == value
    assert ids.find("nonsense") is None
