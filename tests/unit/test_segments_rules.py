"""The tree of rules: what it may be, and where it is wrong."""

from typing import Any

import pytest

from apps.audience.segments import fields, rules
from apps.audience.segments.rules import Everyone, Group, Leaf, Named, Users, parse
from apps.core.problem_codes import Code
from apps.core.problems import Problem

PRO = {"field": "attributes.plan", "op": "is", "value": "pro"}


def wrong(data: object, pointer: str = "") -> tuple[str, str]:
    with pytest.raises(Problem) as caught:
        parse(data, pointer)
    return caught.value.code.value, caught.value.errors[0].pointer


def test_a_tree_is_read_as_it_stands() -> None:
    node = parse(
        {"all": [PRO, {"none": [{"list": "guests"}, {"segment": "vip"}]}, {"users": ["u_1"]}, {"everyone": True}]}
    )
    assert isinstance(node, Group)
    leaf, none, users, everyone = node.parts
    assert isinstance(leaf, Leaf)
    assert (leaf.name, leaf.path, leaf.op, leaf.value, leaf.pointer) == (
        "attributes.plan",
        "plan",
        "is",
        "pro",
        "/all/0",
    )
    assert none == Group(
        "none", (Named("guests", True, "/all/1/none/0/list"), Named("vip", False, "/all/1/none/1/segment"))
    )
    assert (users, everyone) == (Users(("u_1",)), Everyone())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], ("wrong_type", "/rules")),
        ({}, ("invalid_segment_rule", "/rules")),
        ({"all": [], "any": []}, ("invalid_segment_rule", "/rules")),
        ({"all": []}, ("invalid_segment_rule", "/rules/all")),
        ({"any": {}}, ("wrong_type", "/rules/any")),
        ({"any": [PRO, 7]}, ("wrong_type", "/rules/any/1")),
        ({"everyone": False}, ("invalid_segment_rule", "/rules/everyone")),
        ({"everyone": True, "x~/": 1}, ("unknown_field", "/rules/x~0~1")),
        ({"users": []}, ("wrong_type", "/rules/users")),
        ({"users": ["a", 1]}, ("wrong_type", "/rules/users/1")),
        ({"users": ["u"] * 10_001}, ("out_of_range", "/rules/users")),
        ({"segment": ""}, ("out_of_range", "/rules/segment")),
        ({"list": "a\x00"}, ("nul_byte", "/rules/list")),
        (PRO | {"field": "attribute.plan"}, ("unknown_rule_field", "/rules/field")),
        (PRO | {"field": "attributes."}, ("unknown_rule_field", "/rules/field")),
        (PRO | {"field": "attributes.a..b"}, ("unknown_rule_field", "/rules/field")),
        (PRO | {"field": "tenant_id"}, ("unknown_rule_field", "/rules/field")),
        (PRO | {"field": "address.fax"}, ("unknown_rule_field", "/rules/field")),
        ({"field": "locale", "value": "de"}, ("missing_field", "/rules/op")),
        (PRO | {"op": "like"}, ("invalid_segment_rule", "/rules/op")),
        ({"field": "locale", "op": "is"}, ("missing_field", "/rules/value")),
        ({"field": "locale", "op": "exists", "value": True}, ("invalid_segment_rule", "/rules/value")),
        (PRO | {"value": None}, ("wrong_type", "/rules/value")),
        (PRO | {"value": {"a": 1}}, ("wrong_type", "/rules/value")),
        (PRO | {"value": "x" * 501}, ("out_of_range", "/rules/value")),
        (PRO | {"value": "a\x00b"}, ("nul_byte", "/rules/value")),
        (PRO | {"op": "gt", "value": True}, ("wrong_type", "/rules/value")),
        (PRO | {"op": "gt", "value": 1e16}, ("out_of_range", "/rules/value")),
        (PRO | {"op": "in", "value": ["a", []]}, ("wrong_type", "/rules/value/1")),
        (PRO | {"op": "in", "value": ["a"] * 1_001}, ("out_of_range", "/rules/value")),
        (PRO | {"op": "before", "value": "2026-02-30"}, ("out_of_range", "/rules/value")),
        (PRO | {"op": "before", "value": "30.2.2026"}, ("wrong_type", "/rules/value")),
        (PRO | {"op": "in_last_days", "value": 0}, ("out_of_range", "/rules/value")),
        (PRO | {"op": "in_last_days", "value": 1.5}, ("wrong_type", "/rules/value")),
        ({"field": "locale", "op": "is", "value": "klingon"}, ("out_of_range", "/rules/value")),
        ({"field": "timezone", "op": "is", "value": "CEST"}, ("out_of_range", "/rules/value")),
        ({"field": "country", "op": "in", "value": ["DE", "de"]}, ("out_of_range", "/rules/value/1")),
        ({"field": "preferences.email", "op": "switched_off", "value": "Sale"}, ("out_of_range", "/rules/value")),
        ({"field": "activity.opened", "op": "ever"}, ("unknown_rule_field", "/rules/field")),
    ],
)
def test_it_refuses_what_is_no_rule_and_says_where(data: Any, said: tuple[str, str]) -> None:
    assert wrong(data, "/rules") == said


def test_it_refuses_what_is_too_deep_or_too_much() -> None:
    deep: Any = PRO
    for _ in range(rules.MOST_DEPTH - 1):
        deep = {"all": [deep]}
    assert len(list(rules.walk(parse(deep)))) == rules.MOST_DEPTH
    assert wrong({"all": [deep]}) == ("too_deep", "/all/0" * rules.MOST_DEPTH)
    parse({"any": [PRO] * (rules.MOST_NODES - 1)})
    assert wrong({"any": [PRO] * rules.MOST_NODES}) == ("out_of_range", f"/any/{rules.MOST_NODES - 1}")


def test_a_misspelt_field_is_told_what_was_meant() -> None:
    with pytest.raises(Problem) as caught:
        parse({"field": "timezon", "op": "exists"})
    assert caught.value.detail == "There is no field `timezon`. Did you mean `timezone`?"


def test_fields_of_apps_above_are_asked_like_all_others() -> None:
    field = fields.Field("loyal", "Loyal", {"is": fields.Kind.BOOL}, lambda asked: "TRUE")
    fields.register(field)
    try:
        node = parse({"field": "loyal", "op": "is", "value": True})
        assert isinstance(node, Leaf)
        assert (node.field, node.value) == (field, True)
    finally:
        del fields._fields["loyal"]
    assert wrong({"field": "loyal", "op": "is", "value": True}) == (Code.UNKNOWN_RULE_FIELD.value, "/field")
