"""The decision table: every rule, its place in the order, and what critical overrides."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from apps.core.enums import Category, Channel, EndpointKind, GroupBy, KeyMode, Priority, Reason, SuppressionReason
from apps.core.types import Choices, Endpoint, Grouping, Recipient, Switch, Veto
from apps.preferences.topics import deciding
from apps.routing.deciding import decide
from apps.routing.decisions import Send, Skip
from apps.routing.facts import Case, Person, Wish
from apps.routing.rules import BYPASSED, RULES, switched_off

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VETO = Veto(SuppressionReason.COMPLAINT, datetime(2026, 11, 3, 9, 0, tzinfo=UTC), "sandbox-email")
ROSA = Recipient(UUID(int=1), UUID(int=9), "u_rosa", "de", "Europe/Berlin", {}, is_blocked=False)


def endpoint(number: int, channel: Channel, **changes: object) -> Endpoint:
    base = Endpoint(
        id=UUID(int=number),
        recipient_id=ROSA.id,
        channel=channel,
        kind=EndpointKind.EMAIL,
        address="x",
        address_hash=b"h%d" % number,
        masked="x***",
        platform="",
        is_verified=True,
        is_retired=False,
    )
    return structs.replace(base, **changes)


MAIL, PHONE = endpoint(10, Channel.EMAIL), endpoint(20, Channel.SMS)
DEVICES = (endpoint(30, Channel.PUSH), endpoint(31, Channel.PUSH))


def case(channel: Channel = Channel.EMAIL, *, person: Person | None = None, **changes: object) -> Case:
    wish = Wish(Category.SOCIAL, "post.liked", Priority.NORMAL, KeyMode.LIVE, "", None)
    known = {f: changes.pop(f) for f in list(changes) if f in Wish.__struct_fields__}
    rosa = Person(ROSA, (MAIL, PHONE, *DEVICES), Choices(), {}, is_guest=False)
    return Case(structs.replace(wish, **known), person or rosa, channel, NOW, **changes)


def person(**changes: object) -> Person:
    if "switches" in changes:
        changes["choices"] = Choices(switches=changes.pop("switches"))
    return structs.replace(case().person, **changes)


def test_nothing_objects_and_it_is_sent_to_the_address() -> None:
    assert decide(case()) == Send((MAIL.id,))


def test_push_goes_to_every_device_newest_first() -> None:
    assert decide(case(Channel.PUSH)) == Send((UUID(int=31), UUID(int=30)))


def test_email_goes_to_the_newest_address_only() -> None:
    newer = endpoint(11, Channel.EMAIL)
    assert decide(case(person=person(endpoints=(MAIL, newer)))) == Send((newer.id,))


def test_in_app_needs_no_endpoint_and_no_provider() -> None:
    assert decide(case(Channel.IN_APP, person=person(endpoints=()), has_provider=False)) == Send((None,))


OFF = (Switch("post.liked", "*", is_on=False),)
OBJECTIONS = [
    ("expired", case(expires_at=NOW), Reason.EXPIRED),
    ("unknown", case(person=person(recipient=None)), Reason.UNKNOWN_RECIPIENT),
    ("blocked", case(person=person(recipient=structs.replace(ROSA, is_blocked=True))), Reason.RECIPIENT_BLOCKED),
    ("no guest", case(mode=KeyMode.TEAM), Reason.NOT_ON_GUEST_LIST),
    ("no content", case(has_content=False), Reason.NO_TEMPLATE),
    ("no endpoint", case(person=person(endpoints=(PHONE,))), Reason.NO_ENDPOINT),
    (
        "unverified",
        case(person=person(endpoints=(structs.replace(MAIL, is_verified=False),))),
        Reason.ENDPOINT_UNVERIFIED,
    ),
    ("retired", case(person=person(endpoints=(structs.replace(MAIL, is_retired=True),))), Reason.ENDPOINT_RETIRED),
    ("suppressed", case(person=person(suppressed={MAIL.id: VETO})), Reason.SUPPRESSED),
    ("topic off", case(person=person(switches=OFF)), Reason.TOPIC_OFF),
    ("channel off", case(person=person(switches=(Switch("*", "email", is_on=False),))), Reason.CHANNEL_OFF),
    ("low by sms", case(Channel.SMS, priority=Priority.LOW), Reason.CHANNEL_NOT_ALLOWED),
    ("no provider", case(has_provider=False), Reason.NO_PROVIDER),
    ("duplicate", case(duplicate_of=UUID(int=5)), Reason.DUPLICATE),
]


@pytest.mark.parametrize(("_name", "given", "reason"), OBJECTIONS, ids=[name for name, _, _ in OBJECTIONS])
def test_each_rule_objects_with_its_reason(_name: str, given: Case, reason: Reason) -> None:
    assert decide(given) == Skip(reason)


def test_the_order_of_the_rules_is_part_of_the_product() -> None:
    assert [rule.__name__ for rule in RULES] == [
        "expired",
        "halted",
        "unknown_recipient",
        "blocked_recipient",
        "actor_blocked",
        "not_a_guest",
        "no_content",
        "no_endpoint",
        "suppressed",
        "switched_off",
        "muted",
        "channel_not_allowed",
        "no_provider",
        "duplicate",
        "superseded",
        "seen_elsewhere",
        "awaiting_fuller",
        "in_quiet_hours",
        "capped",
        "digested",
        "grouped",
    ]


def test_the_first_objection_decides() -> None:
    both = case(expires_at=NOW, person=person(recipient=None))
    assert decide(both) == Skip(Reason.EXPIRED)
    assert decide(case(person=person(suppressed={MAIL.id: VETO}, switches=OFF))) == Skip(Reason.SUPPRESSED)
    assert decide(case(person=person(switches=OFF), duplicate_of=UUID(int=5))) == Skip(Reason.TOPIC_OFF)


def test_it_expires_at_the_very_instant_and_not_before() -> None:
    assert decide(case(expires_at=NOW + timedelta(microseconds=1))) == Send((MAIL.id,))
    assert decide(case(expires_at=NOW)) == Skip(Reason.EXPIRED)


@pytest.mark.parametrize(("_name", "given", "reason"), OBJECTIONS, ids=[name for name, _, _ in OBJECTIONS])
def test_critical_overrides_only_the_persons_wishes(_name: str, given: Case, reason: Reason) -> None:
    critical = structs.replace(given, wish=structs.replace(given.wish, category=Category.CRITICAL))
    overridable = {Reason.TOPIC_OFF, Reason.CHANNEL_OFF, Reason.CHANNEL_NOT_ALLOWED}
    decision = decide(critical)
    if reason in overridable:
        assert isinstance(decision, Send)
        assert decision.bypassed == reason
    else:
        assert decision == Skip(reason)
    assert {rule.__name__ for rule in BYPASSED} == {
        "switched_off",
        "muted",
        "channel_not_allowed",
        "awaiting_fuller",
        "in_quiet_hours",
        "capped",
        "digested",
        "grouped",
    }


def test_a_team_key_reaches_guests() -> None:
    assert decide(case(mode=KeyMode.TEAM, person=person(is_guest=True))) == Send((MAIL.id,))


def test_one_suppressed_device_does_not_silence_the_other() -> None:
    assert decide(case(Channel.PUSH, person=person(suppressed={UUID(int=31): VETO}))) == Send((UUID(int=30),))


PRECEDENCE = [
    ("*", "*"),
    ("*", "email"),
    ("category:social", "*"),
    ("category:social", "email"),
    ("post.*", "*"),
    ("post.*", "email"),
    ("post.liked.*", "*"),
    ("post.liked.photo", "*"),
    ("post.liked.photo", "email"),
]


@pytest.mark.parametrize("place", range(1, len(PRECEDENCE)))
def test_the_more_specific_preference_wins(place: int) -> None:
    weaker = Switch(*PRECEDENCE[place - 1], is_on=False)
    stronger = Switch(*PRECEDENCE[place], is_on=True)
    for order in ((weaker, stronger), (stronger, weaker)):
        assert deciding(order, "post.liked.photo", "social", Channel.EMAIL) == stronger


def test_a_preference_for_another_channel_or_topic_says_nothing() -> None:
    others = (
        Switch("post.liked", "sms", is_on=False),
        Switch("post.shared", "*", is_on=False),
        Switch("category:marketing", "*", is_on=False),
        Switch("poster.*", "*", is_on=False),
    )
    assert deciding(others, "post.liked", "social", Channel.EMAIL) is None
    assert switched_off(case(person=person(switches=others))) is None


def test_critical_tells_only_of_wishes_that_it_overrode() -> None:
    rule = Grouping(GroupBy.TYPE, timedelta(minutes=5))
    urgent = case(category=Category.CRITICAL, grouping=rule, waits=timedelta(minutes=2), asked_at=NOW)
    assert decide(urgent) == Send((MAIL.id,), None)
