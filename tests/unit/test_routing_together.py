"""Deciding on many at once is deciding on each: nobody's own word is lost among those who said nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from apps.core.enums import Category, Channel, DigestFrequency, GroupBy, KeyMode, Priority, Reason
from apps.core.types import (
    Choices,
    Default,
    Endpoint,
    Grouping,
    Mute,
    QuietHours,
    Recipient,
    Switch,
    TenantRules,
)
from apps.routing import deciding
from apps.routing.decisions import Send, Skip
from apps.routing.facts import Case, Person, Stage
from tests.unit.test_routing_decide import NOW, ROSA, VETO, case, endpoint
from tests.unit.test_routing_explaining import CAP

NIGHT = QuietHours(22 * 60, 8 * 60)
RULES = TenantRules(quiet_hours=(NIGHT,))
LATE = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def plain(number: int, channel: Channel = Channel.EMAIL, **changes: Any) -> Person:
    mine = Recipient(UUID(int=1_000 + number), UUID(int=9), f"u_{number}", "de", "Europe/Berlin", {}, is_blocked=False)
    known = Person(mine, (endpoint(2_000 + number, channel),), Choices(), {}, is_guest=False)
    return structs.replace(known, **changes)


def test_those_of_whom_nothing_is_known_are_decided_on_once_each_to_an_address_of_their_own() -> None:
    first = case(person=plain(0))
    cases = {UUID(int=number): structs.replace(first, person=plain(number)) for number in range(100)}
    with patch.object(deciding, "decide", wraps=deciding.decide) as asked:
        found = deciding.decide_all(cases)
    assert found == {UUID(int=number): Send((UUID(int=2_000 + number),)) for number in range(100)}
    assert asked.call_count == 1


def test_a_no_is_told_to_each() -> None:
    late = case(person=plain(0), expires_at=NOW)
    cases = {UUID(int=number): structs.replace(late, person=plain(number)) for number in range(3)}
    with patch.object(deciding, "decide", wraps=deciding.decide) as asked:
        found = deciding.decide_all(cases)
    assert [decision.reason for decision in found.values() if isinstance(decision, Skip)] == [Reason.EXPIRED] * 3
    assert asked.call_count == 3


def _blocked(number: int) -> Recipient:
    return structs.replace(ROSA, id=UUID(int=1_000 + number), is_blocked=True)


ODD: dict[str, dict[str, Any]] = {
    "gone": {"recipient": None},
    "blocked": {"recipient": _blocked(7)},
    "without an address": {"endpoints": ()},
    "two addresses": {"endpoints": (endpoint(2_007, Channel.EMAIL), endpoint(3_007, Channel.EMAIL))},
    "not verified": {"endpoints": (endpoint(2_007, Channel.EMAIL, is_verified=False),)},
    "retired": {"endpoints": (endpoint(2_007, Channel.EMAIL, is_retired=True),)},
    "elsewhere": {"endpoints": (endpoint(2_007, Channel.SMS),)},
    "vetoed": {"suppressed": {UUID(int=2_007): VETO}},
    "switched it off": {"choices": Choices(1, switches=(Switch("post.liked", "*", is_on=False),))},
    "muted it": {"choices": Choices(1, mutes=(Mute("post.liked", "*", NOW + timedelta(days=1)),))},
    "wants a digest": {"choices": Choices(1, switches=(Switch("*", "email", True, DigestFrequency.DAILY),))},
    "asleep": {"choices": Choices(1, quiet_hours=(QuietHours(0, 24 * 60 - 1),))},
    "blocked the actor": {"choices": Choices(1, blocked_actors=frozenset({"ann"}))},
    "in another zone": {"zone": "Asia/Kolkata"},
    "in another country": {"country": "CH"},
    "a guest": {"is_guest": True},
}
OTHERWISE: dict[str, dict[str, Any]] = {
    "told already": {"duplicate_of": UUID(int=5)},
    "a fuller one came": {"fuller": UUID(int=6)},
    "seen elsewhere": {"seen_elsewhere": True, "stage": Stage.GATE},
    "over a cap": {"over": CAP},
    "it has waited": {"was_held": True},
    "without content": {"has_content": False},
    "without a provider": {"has_provider": False},
    "at night": {"now": LATE},
    "of a bundle": {"stage": Stage.FLUSH},
    "on another channel": {"channel": Channel.SMS},
    "asked long ago": {"asked_at": NOW - timedelta(days=1)},
}


def test_a_wish_passed_over_is_recorded_with_each() -> None:
    urgent = structs.replace(case(category=Category.CRITICAL, rules=RULES, person=plain(0)), now=LATE)
    cases = {UUID(int=number): structs.replace(urgent, person=plain(number)) for number in range(3)}
    found = deciding.decide_all(cases)
    assert [decision.bypassed for decision in found.values() if isinstance(decision, Send)] == [Reason.QUIET_HOURS] * 3
    assert found == {id_: deciding.decide(one) for id_, one in cases.items()}


@pytest.mark.parametrize("odd", [*ODD, *OTHERWISE])
def test_who_is_different_is_decided_on_alone(odd: str) -> None:
    first = case(
        person=plain(0), rules=RULES, actor_id="ann", asked_at=NOW, waits=timedelta(minutes=2), stage=Stage.GATE
    )
    cases = {UUID(int=number): structs.replace(first, person=plain(number)) for number in range(3)}
    seventh = structs.replace(plain(7), **ODD.get(odd, {}))
    cases[UUID(int=7)] = structs.replace(first, person=seventh, **OTHERWISE.get(odd, {}))
    with patch.object(deciding, "decide", wraps=deciding.decide) as asked:
        found = deciding.decide_all(cases)
    assert found == {id_: deciding.decide(one) for id_, one in cases.items()}
    assert asked.call_count == 2


def test_other_wishes_and_rules_are_others() -> None:
    first = case(person=plain(0))
    other = structs.replace(first, person=plain(1), wish=structs.replace(first.wish, expires_at=NOW))
    strict = structs.replace(
        first, person=plain(2), rules=TenantRules(defaults=(Default("*", "*", False, None, False),))
    )
    cases = {UUID(int=number): one for number, one in enumerate((first, other, strict))}
    assert deciding.decide_all(cases) == {id_: deciding.decide(one) for id_, one in cases.items()}


def test_one_that_asks_for_an_address_of_its_own_is_decided_on_alone() -> None:
    first = case(person=plain(0), verifies=UUID(int=2_000))
    cases = {UUID(int=number): structs.replace(first, person=plain(number)) for number in range(2)}
    found = deciding.decide_all(cases)
    assert found[UUID(int=0)] == Send((UUID(int=2_000),))
    assert isinstance(found[UUID(int=1)], Skip)


def test_in_app_needs_no_address() -> None:
    first = case(Channel.IN_APP, person=plain(0))
    cases = {UUID(int=number): structs.replace(first, person=plain(number)) for number in range(2)}
    assert deciding.decide_all(cases) == {UUID(int=0): Send((None,)), UUID(int=1): Send((None,))}


LOOKED_AT = {
    Case: "wish person channel now has_content has_provider duplicate_of rules stage asked_at fuller seen_elsewhere over was_held",
    Person: "recipient endpoints choices suppressed is_guest zone country",
    Recipient: "is_blocked",
    Endpoint: "channel is_verified is_retired",
}
OF_THEIR_OWN = {
    Recipient: "id tenant_id user_id locale timezone attributes preferences_version",
    Endpoint: "id recipient_id kind address address_hash masked platform other_hashes",
}


@pytest.mark.parametrize("fact", LOOKED_AT)
def test_a_new_fact_is_part_of_the_likeness_or_no_rule_looks_at_it(fact: type) -> None:
    """Whoever adds a field says which, here and in `_likeness`."""
    said = f"{LOOKED_AT[fact]} {OF_THEIR_OWN.get(fact, '')}".split()
    assert {field.name for field in structs.fields(fact)} == set(said)


@st.composite
def crowds(draw: st.DrawFn) -> dict[UUID, Case]:
    """Mostly plain people, whom one of two campaigns wants to tell something, now or at night."""
    channel = draw(st.sampled_from([Channel.EMAIL, Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.IN_APP]))
    off = Default("category:social", channel.value, False, None, False)
    first = case(
        channel,
        category=draw(st.sampled_from([Category.SOCIAL, Category.MARKETING, Category.CRITICAL])),
        priority=draw(st.sampled_from(list(Priority))),
        mode=draw(st.sampled_from([KeyMode.LIVE, KeyMode.LIVE, KeyMode.TEAM])),
        actor_id=draw(st.sampled_from(["", "ann"])),
        halt=draw(st.sampled_from([None, None, Reason.PAUSED])),
        grouping=draw(st.sampled_from([None, None, Grouping(GroupBy.TYPE, timedelta(minutes=5))])),
        rules=TenantRules(
            defaults=draw(st.sampled_from([(), (), (off,)])),
            quiet_hours=draw(st.sampled_from([(), (NIGHT,), (replace(NIGHT, country="CH"),)])),
        ),
        stage=draw(st.sampled_from(list(Stage))),
    )
    moment = draw(st.sampled_from([NOW, LATE]))
    wishes = [first.wish, structs.replace(first.wish, expires_at=NOW + timedelta(hours=draw(st.integers(-1, 12))))]
    found = {}
    for number in range(draw(st.integers(1, 12))):
        them = plain(number, channel, **draw(st.sampled_from([{}, {}, {}, *ODD.values()])))
        beside = {"now": moment} | draw(st.sampled_from([{}, {}, {}, *OTHERWISE.values()]))
        found[UUID(int=number)] = structs.replace(first, person=them, wish=draw(st.sampled_from(wishes)), **beside)
    return found


@settings(max_examples=300, deadline=None)
@given(crowds())
def test_all_get_what_each_would_have_got(cases: dict[UUID, Case]) -> None:
    assert deciding.decide_all(cases) == {id_: deciding.decide(one) for id_, one in cases.items()}
