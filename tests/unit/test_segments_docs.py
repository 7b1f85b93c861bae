"""docs/segments.md names every field, operation, code and door that there is."""

import re
from pathlib import Path

import pytest

from apps.audience.segments import fields, lists, rules
from apps.audience.urls import urlpatterns
from apps.core.problem_codes import Code

PAGE = (Path(__file__).parents[2] / "docs" / "segments.md").read_text()
TABLE = PAGE.split("| field | ops | remarks |")[1].split("\n\n")[0]


@pytest.mark.parametrize("field", fields.every(), ids=lambda field: field.key)
def test_every_field_has_a_row_with_what_it_can_be_asked(field: fields.Field) -> None:
    name = field.key.split(".")[0]
    (row,) = [row for row in TABLE.splitlines()[2:] if re.search(rf"`{name}\b", row.split("|")[1])]
    said = set(re.findall(r"`(\w+)`", row.split("|")[2]))
    assert said == set(field.ops)
    assert all(path in row for path in field.paths)


def test_every_row_is_about_a_field() -> None:
    named = {name for row in TABLE.splitlines()[2:] for name in re.findall(r"`([a-z_]+)", row.split("|")[1])}
    assert named == {field.key.split(".")[0] for field in fields.every()}


def test_codes_bounds_and_doors_are_those_of_the_code() -> None:
    for code in ("INVALID_SEGMENT_RULE", "UNKNOWN_RULE_FIELD", "UNKNOWN_SEGMENT", "SEGMENT_ARCHIVED", "SEGMENT_CYCLE"):
        assert f"`{Code[code].value}`" in PAGE
    assert f"at most {rules.MOST_DEPTH} deep, {rules.MOST_NODES} rules in all" in PAGE
    assert f"by `user_id`, up to {rules.MOST_USERS:,}" in PAGE
    assert f"by `user_ids`, up to {lists.MOST_AT_ONCE:,} at once" in PAGE
    doors = [
        str(each.pattern).replace("<str:segment>", "{key}") for each in urlpatterns if "segments" in str(each.pattern)
    ]
    assert len(doors) == 6
    for door in doors:
        assert f"/v1/{door}" in PAGE.replace(".../{key}", "/v1/segments/{key}").replace("{key or id}", "{key}")
