"""Rules as SQL: no text of anybody's gets into a statement."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audience.segments import compiling, fields
from apps.audience.segments.compiling import Condition, both, without
from apps.audience.segments.counting import Count, rounded
from apps.audience.segments.reach import SamplePerson
from apps.audience.segments.rules import parse

ACME = UUID(int=7)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NASTY = "'); DROP TABLE x; --%s%(a)s$1"
PLACEHOLDER = re.compile(r"%\((v[0-9a-f]{20})\)s::[a-z\[\]]+")


def compiled(data: object) -> Condition:
    return compiling.compiled(ACME, parse(data), NOW)


def _values(kind: fields.Kind) -> Any:
    one = {
        fields.Kind.SCALAR: st.just(NASTY),
        fields.Kind.TEXT: st.just(NASTY),
        fields.Kind.NUMBER: st.just(-1.5),
        fields.Kind.BOOL: st.booleans(),
        fields.Kind.DATE: st.just("2026-01-31"),
        fields.Kind.DAYS: st.just(30),
    }
    if kind in (fields.Kind.SCALARS, fields.Kind.TEXTS):
        return st.just([NASTY, "b"])
    return one[kind]


LEAVES = [(field, op) for field in fields.every() for op in field.ops]


@given(data=st.data(), chosen=st.sampled_from(LEAVES))
def test_values_and_names_are_parameters_only(data: st.DataObject, chosen: tuple[fields.Field, str]) -> None:
    field, op = chosen
    name = field.key + (field.paths[0] if field.paths else NASTY.replace(".", "") if field.key.endswith(".") else "")
    leaf: dict[str, Any] = {"field": name, "op": op}
    if field.ops[op] is not fields.Kind.NOTHING:
        leaf["value"] = data.draw(_values(field.ops[op]))
    fixed = {"locale": "de", "timezone": "Europe/Berlin", "country": "DE", "preferences.": "category:marketing"}
    if field.key in fixed and "value" in leaf and op != "starts_with":
        leaf["value"] = [fixed[field.key]] if isinstance(leaf["value"], list) else fixed[field.key]
    found = compiled(leaf)
    assert "DROP" not in found.sql
    names = set(PLACEHOLDER.findall(found.sql))
    assert names == set(found.parameters)
    rest = PLACEHOLDER.sub("", found.sql).replace("%%", "")
    assert "%" not in rest
    if "audience_endpoint" in rest or "preferences_" in rest or "insights_" in rest:
        assert ACME in found.parameters.values()


def test_equality_is_containment_so_that_the_index_serves() -> None:
    found = compiled({"field": "attributes.address.city", "op": "is", "value": "Zürich"})
    (name,) = found.parameters
    assert found == Condition(f"(r.attributes @> %({name})s::jsonb)", {name: '{"address": {"city": "Zürich"}}'})


def test_the_same_value_is_one_parameter_and_two_conditions_go_together() -> None:
    pro = {"field": "attributes.plan", "op": "is", "value": "pro"}
    one, other = compiled(pro), compiled({"any": [pro, {"everyone": True}]})
    assert other.parameters == one.parameters
    assert both(one, other).parameters == one.parameters
    vip = compiled({"field": "attributes.vip", "op": "is", "value": True})
    joined = without(one, vip)
    assert joined.sql == f"({one.sql} AND NOT {vip.sql})"
    assert joined.parameters == {**one.parameters, **vip.parameters}


def test_a_text_and_a_number_that_look_alike_are_two_parameters() -> None:
    number = compiled({"field": "attributes.zip", "op": "is", "value": 8000})
    text = compiled({"field": "attributes.zip", "op": "is", "value": "8000"})
    assert set(number.parameters).isdisjoint(text.parameters)


def test_cheap_columns_are_looked_at_first() -> None:
    found = compiled(
        {
            "all": [
                {"field": "address.email", "op": "usable", "value": True},
                {"field": "locale", "op": "is", "value": "de"},
            ]
        }
    )
    assert found.sql.index("r.locale") < found.sql.index("audience_endpoint")


@pytest.mark.parametrize(
    ("number", "shown"), [(0, 0), (7.4, 7), (99, 99), (149, 150), (12_345, 12_000), (999_999, 1_000_000)]
)
def test_an_estimate_has_two_digits(number: float, shown: int) -> None:
    assert rounded(number) == shown
    assert Count(shown, False).text == f"about {shown:,}"


@pytest.mark.parametrize(
    ("user_id", "shown"), [("u_42", "u_42"), ("zoe@example.com", "z***@example.com"), ("+41791234567", "+4179****67")]
)
def test_examples_are_shown_without_addresses(user_id: str, shown: str) -> None:
    assert SamplePerson(ACME, user_id, "", "", True, ()).shown == shown
