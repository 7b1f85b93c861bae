"""Fallback chains: what goes at once, whose turn it is, and when one is waited for no longer."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.enums import Channel, Reason
from apps.core.enums import DeliveryStatus as D
from apps.routing.chains import (
    DOUBTED,
    ENDS_THE_CHAIN,
    UNPROVED,
    Sent,
    Way,
    follows,
    goes_on,
    has_given_up,
    next_channel,
    overdue_at,
    way,
)
from apps.routing.decisions import Hold, Send, Skip

PUSH, EMAIL, SMS, IN_APP = Channel.PUSH, Channel.EMAIL, Channel.SMS, Channel.IN_APP
CHAIN = (PUSH, SMS, EMAIL)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wish", "chain", "expected"),
    [
        ((PUSH, EMAIL), (), Way((PUSH, EMAIL))),
        ((PUSH,), CHAIN, Way((), CHAIN)),
        ((PUSH, SMS, EMAIL, IN_APP), CHAIN, Way((IN_APP,), CHAIN)),
        ((SMS,), CHAIN, Way((), (SMS, EMAIL))),
        ((EMAIL, SMS), CHAIN, Way((), (SMS, EMAIL))),
        ((EMAIL,), CHAIN, Way((), (EMAIL,))),
        ((IN_APP,), CHAIN, Way((IN_APP,))),
        ((PUSH, EMAIL), (PUSH, SMS), Way((EMAIL,), (PUSH, SMS))),
    ],
)
def test_only_the_first_of_a_chain_goes_at_once(
    wish: tuple[Channel, ...], chain: tuple[Channel, ...], expected: Way
) -> None:
    assert way(wish, chain) == expected


@pytest.mark.parametrize("reason", list(Reason))
def test_what_concerns_the_channel_passes_the_turn_on(reason: Reason) -> None:
    assert goes_on(Skip(reason)) == has_given_up(D.FAILED, reason) == (reason not in ENDS_THE_CHAIN)


def test_what_is_sent_or_held_keeps_the_turn() -> None:
    assert not goes_on(Send((None,)))
    assert not goes_on(Hold(NOW, Reason.NO_PROVIDER))


GONE = (D.FAILED, "invalid_address")


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ({PUSH: [GONE]}, SMS),
        ({PUSH: [(D.BOUNCED, "hard_bounce")]}, SMS),
        ({PUSH: [(D.SKIPPED, "no_endpoint")]}, SMS),
        ({PUSH: [GONE, GONE]}, SMS),
        ({PUSH: [GONE, (D.QUEUED, "")]}, None),
        ({PUSH: [GONE, (D.SENT, "")]}, None),
        ({PUSH: [GONE, (D.UNKNOWN, "in_doubt")]}, None),
        ({PUSH: [GONE], SMS: [(D.SENT, "")]}, None),
        ({PUSH: [GONE], SMS: [GONE]}, EMAIL),
        ({PUSH: [GONE], EMAIL: [GONE]}, None),
        ({PUSH: [(D.SENT, "")], SMS: [GONE]}, EMAIL),
        ({SMS: [GONE]}, EMAIL),
        ({PUSH: [GONE], SMS: [GONE], EMAIL: [GONE]}, None),
        ({PUSH: [GONE], IN_APP: [(D.DELIVERED, "")]}, SMS),
        ({PUSH: [(D.CANCELLED, "cancelled")]}, None),
        ({PUSH: [(D.EXPIRED, "expired")]}, None),
        ({PUSH: [(D.FAILED, "poisoned")]}, None),
        ({IN_APP: [GONE]}, None),
        ({}, None),
    ],
)
def test_whose_turn_it_is(tried: dict[Channel, list[tuple[D, str]]], expected: Channel | None) -> None:
    assert next_channel(CHAIN, tried) == expected


def test_one_that_is_waited_for_no_longer_counts_as_given_up() -> None:
    for status in (D.SENT, D.UNKNOWN):
        assert next_channel(CHAIN, {PUSH: [(status, "")]}, PUSH, UNPROVED) == SMS
        assert next_channel(CHAIN, {PUSH: [(status, ""), GONE]}, PUSH, UNPROVED) == SMS
        assert next_channel(CHAIN, {PUSH: [(status, "")]}, SMS, UNPROVED) is None
        assert next_channel(CHAIN, {PUSH: [(status, "")], SMS: [(D.SENT, "")]}, PUSH, UNPROVED) is None
    assert next_channel(CHAIN, {PUSH: [(D.DELIVERED, "")]}, PUSH, UNPROVED) is None
    assert next_channel(CHAIN, {PUSH: [(D.QUEUED, "")]}, PUSH, UNPROVED) is None


def test_a_doubt_does_not_outvote_a_device_that_was_reached() -> None:
    assert next_channel(CHAIN, {PUSH: [(D.UNKNOWN, ""), GONE]}, PUSH, DOUBTED) == SMS
    assert next_channel(CHAIN, {PUSH: [(D.UNKNOWN, ""), (D.SENT, "")]}, PUSH, DOUBTED) is None


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ([], None),
        ([Sent(D.DELIVERED, NOW), Sent(D.SENT, NOW)], None),
        ([Sent(D.FAILED, None)], None),
        ([Sent(D.QUEUED, None)], NOW + MINUTE),
        ([Sent(D.SENT, NOW - MINUTE), Sent(D.HELD, None)], NOW + MINUTE),
        ([Sent(D.SENT, NOW - MINUTE)], NOW),
        ([Sent(D.SENT, NOW - 2 * MINUTE), Sent(D.SENT, NOW), Sent(D.FAILED, None)], NOW + MINUTE),
        ([Sent(D.UNKNOWN, None)], NOW),
    ],
)
def test_when_a_channel_is_overdue(channel: list[Sent], expected: datetime | None) -> None:
    assert overdue_at(channel, MINUTE, NOW) == expected


def test_what_follows() -> None:
    assert [follows(CHAIN, channel) for channel in (PUSH, SMS, EMAIL, IN_APP)] == [True, True, False, False]
