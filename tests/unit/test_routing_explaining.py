"""Explaining: the rule that decides, the earliest moment, and changes that do what they promise."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from apps.core.enums import CapPeriod, Category, Channel, DigestFrequency, GroupBy, Priority, Reason
from apps.core.types import Cap, Choices, Default, Grouping, Mute, QuietHours, Switch, TenantRules
from apps.routing.deciding import decide
from apps.routing.decisions import Bundle, Hold, Send, Skip
from apps.routing.explaining import World, explain
from apps.routing.facts import Case
from apps.routing.flips import _FLIPS
from apps.routing.rules import RULES
from tests.unit.test_routing_decide import MAIL, NOW, OBJECTIONS, VETO, case, person

NIGHT = (QuietHours(22 * 60, 8 * 60),)
CAP = Cap(UUID(int=7), "Three a day", 3, CapPeriod.DAY)


def test_every_rule_has_a_change_that_flips_it() -> None:
    assert set(_FLIPS) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(("_name", "given_case", "reason"), OBJECTIONS, ids=[name for name, _, _ in OBJECTIONS])
def test_it_names_the_rule_and_one_change(_name: str, given_case: Case, reason: Reason) -> None:
    found = explain(given_case)
    assert isinstance(found.decision, Skip) and found.decision.reason == reason
    assert found.rule and found.earliest is None
    assert len(found.changes) == 1


def test_a_plain_yes_needs_no_change() -> None:
    found = explain(case())
    assert (found.decision, found.earliest, found.changes, found.rule) == (Send((MAIL.id,)), NOW, (), "")


def test_each_thing_in_the_way_is_a_change_of_its_own() -> None:
    off = Choices(switches=(Switch("*", "*", is_on=False),))
    found = explain(case(Channel.SMS, person=person(choices=off, endpoints=())))
    assert [change.code for change in found.changes] == ["add_address", "switch_on"]
    assert [change.text for change in found.changes] == [
        "Add a phone number.",
        "The recipient switches post.liked on for SMS.",
    ]


def test_it_walks_through_quiet_hours_to_the_first_open_instant() -> None:
    late = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    asleep = person(choices=Choices(quiet_hours=NIGHT), zone="Europe/Zurich")
    found = explain(structs.replace(case(person=asleep), now=late))
    opens = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    assert isinstance(found.decision, Hold) and (found.rule, found.earliest) == ("in_quiet_hours", opens)
    assert [(change.code, change.until) for change in found.changes] == [("wait", opens)]


def test_a_digest_that_falls_into_the_night_waits_for_the_morning() -> None:
    choices = Choices(
        switches=(Switch("post.liked", "email", True, DigestFrequency.DAILY),),
        quiet_hours=NIGHT,
        digest_hour=23,
    )
    found = explain(case(person=person(choices=choices, zone="Europe/Zurich")))
    assert isinstance(found.decision, Bundle) and found.decision.reason == Reason.IN_DIGEST
    assert found.earliest == datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    assert [change.code for change in found.changes] == ["leave_digest"]


def test_a_full_cap_decides_just_before_sending() -> None:
    full = World(full=lambda _: CAP)
    found = explain(case(), full)
    assert (found.rule, found.decision) == ("capped", Skip(Reason.FREQUENCY_CAP))
    assert [change.code for change in found.changes] == ["raise_cap"]
    overflow = explain(case(overflows=True), full)
    assert isinstance(overflow.decision, Bundle)
    assert overflow.earliest == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_the_first_of_a_group_leads_it_and_the_others_wait_for_it() -> None:
    rule = Grouping(GroupBy.TYPE, timedelta(hours=1), leads=True)
    assert explain(case(grouping=rule)).decision == Send((MAIL.id,))
    ends = NOW + timedelta(minutes=20)
    found = explain(case(grouping=rule), World(open_until=lambda *_: ends))
    assert (found.rule, found.earliest) == ("grouped", ends)


topics = st.sampled_from(["*", "post.liked", "post.*", "category:social", "other"])
channels = st.sampled_from(["*", *Channel])
frequencies = st.none() | st.sampled_from(list(DigestFrequency))
switches = st.lists(st.builds(Switch, topics, channels, st.booleans(), frequencies), max_size=3)
mutes = st.lists(
    st.builds(Mute, topics, channels, st.sampled_from([NOW - timedelta(1), NOW + timedelta(1)])), max_size=2
)
minutes = st.integers(0, 1439)
nights = st.lists(st.builds(QuietHours, minutes, minutes), max_size=2)
defaults = st.lists(st.builds(Default, topics, channels, st.booleans(), frequencies, st.booleans()), max_size=2)
groupings = st.none() | st.builds(Grouping, st.just(GroupBy.TYPE), st.just(timedelta(minutes=5)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    whole = case().person
    chosen = Choices(
        switches=tuple(draw(switches)),
        mutes=tuple(draw(mutes)),
        quiet_hours=tuple(draw(nights)),
        digest_hour=draw(st.integers(0, 23)),
        blocked_actors=frozenset(draw(st.sampled_from([(), ("ann",)]))),
    )
    them = structs.replace(
        whole,
        choices=chosen,
        recipient=None if draw(st.integers(0, 9)) == 0 else whole.recipient,
        endpoints=draw(st.sampled_from([whole.endpoints, (), (structs.replace(MAIL, is_verified=False),)])),
        suppressed=draw(st.sampled_from([{}, {MAIL.id: VETO}])),
        zone=draw(st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Zurich"])),
    )
    return case(
        draw(st.sampled_from(list(Channel))),
        person=them,
        rules=TenantRules(defaults=tuple(draw(defaults))),
        category=draw(st.sampled_from([Category.SOCIAL, Category.SOCIAL, Category.CRITICAL])),
        priority=draw(st.sampled_from(list(Priority))),
        actor_id=draw(st.sampled_from(["", "ann"])),
        grouping=draw(groupings),
        waits=draw(st.sampled_from([timedelta(0), timedelta(minutes=2)])),
        asked_at=NOW,
        has_content=draw(st.booleans()),
        has_provider=draw(st.booleans()),
    )


@settings(max_examples=300, deadline=None)
@given(cases())
def test_every_change_is_needed_and_the_last_leads_to_a_yes(given_case: Case) -> None:
    found = explain(given_case)
    assert bool(found.changes) == (not isinstance(found.decision, Send))
    codes = [step.code for step in found.changes if step.code != "wait"]
    assert len(codes) == len(set(codes)), "the same change twice: the first was none"
    if found.changes and (last := found.changes[-1].then) is not None:
        assert isinstance(decide(last), Send)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_at_the_earliest_moment_nothing_holds_it_any_more(given_case: Case) -> None:
    found = explain(given_case)
    assert (found.earliest is None) <= (not isinstance(found.decision, Send))
    if isinstance(found.decision, Hold):
        assert found.earliest is None or found.earliest >= found.decision.until > given_case.now
