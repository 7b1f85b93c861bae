"""Prices, parts and the span between cheap and dear."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns import costing, money
from apps.campaigns.measuring import Parts, summed_up
from apps.channels.prices import PriceRow, Rate, Tariff
from apps.core.enums import Channel
from apps.core.types import Account
from apps.ledger.units import Units

JANUARY, MARCH, NOW = (
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 1, tzinfo=UTC),
    datetime(2027, 4, 1, tzinfo=UTC),
)


def row(low: int, high: int = 0, *, channel: str = "sms", own: bool = False, **where: Any) -> PriceRow:
    said: dict[str, Any] = {"provider": "", "account": "", "place": "", "valid_from": JANUARY, **where}
    return PriceRow(is_own=own, channel=channel, rate=Rate(low, high or low), **said)


def account(key: str, provider: str = "twilio") -> Account:
    return Account(UUID(int=1), key, provider, Channel.SMS, "", "", {})


def test_the_most_exact_price_counts() -> None:
    rows = (
        *(row(1), row(2, place="+49"), row(3, place="+4"), row(4, provider="vonage"), row(5, account="twilio-2")),
        *(
            row(6, channel="email"),
            row(7, place="+49", valid_from=MARCH),
            row(8, place="+49", valid_from=datetime.max.replace(tzinfo=UTC)),
        ),
    )
    prices = Tariff("EUR", rows)

    def low(**asked: Any) -> int | None:
        rate = prices.rate("sms", at=asked.pop("at", NOW), **asked)
        return rate.low if rate else None

    assert low() == 1
    assert low(place="+41") == 3
    assert low(place="+49", at=datetime(2027, 2, 28, tzinfo=UTC)) == 2
    assert low(place="+49", at=MARCH) == low(place="+49") == 7
    assert low(place="+49", provider="vonage") == 4
    assert low(place="+49", provider="twilio", account="twilio-2") == 5
    assert low(at=datetime(2026, 12, 31, tzinfo=UTC)) is None
    assert prices.rate("push", at=NOW) is None
    assert Tariff("EUR", (*rows, row(9, own=True))).rate("sms", at=NOW, place="+49", account="twilio-2") == Rate(9, 9)


def test_the_span_is_the_cheapest_account_with_short_texts_to_the_dearest_with_long_ones() -> None:
    prices = Tariff("EUR", (row(70_000, 75_000, place="+49"), row(90_000, provider="vonage", place="+49"), row(40_000)))
    messages = {(Channel.SMS, "+49"): 1_000, (Channel.SMS, "+41"): 10, (Channel.EMAIL, ""): 7}
    lines, unpriced = costing.priced_lines(
        messages,
        {Channel.SMS: Parts(1.1, 1.3, 3, 200)},
        prices,
        {Channel.SMS: [account("a"), account("b", "vonage")], Channel.EMAIL: []},
        NOW,
    )
    assert lines == (
        costing.Line("email", "", 7, 0, 0, 0),
        costing.Line("sms", "+49", 1_000, 77_000_000, 117_000_000, 117_000),
        costing.Line("sms", "+41", 10, 440_000, 520_000, 52_000),
    )
    assert unpriced == ("email",)


def test_what_a_message_may_cost_is_found_by_channel_and_place() -> None:
    estimate = costing.Estimate(
        9, 1, 2, "EUR", (costing.Line("sms", "+49", 2, 1, 2, 70), costing.Line("sms", "+1", 2, 1, 2, 9))
    )
    found = costing.charges(estimate.as_json())
    assert found == {("sms", "+49"): 70, ("sms", "+1"): 9, ("sms", ""): 70}
    assert costing.charges({}) == {}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [([], Parts()), ([1], Parts(1, 1, 1, 1)), ([2] * 200, Parts(2, 2, 2, 200)), ([1, 3], Parts(1, 3, 3, 2))],
)
def test_texts_of_one_length_have_no_span(parts: list[int], expected: Parts) -> None:
    assert summed_up(parts) == expected


def test_nothing_is_guessed_where_everybody_was_looked_at() -> None:
    assert summed_up([1, 3], people=2) == Parts(2, 2, 3, 2)
    assert summed_up([1, 3], people=3, failed=1) == Parts(2, 2, 3, 3, 1)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=200), st.integers(0, 9))
def test_the_span_of_parts_holds_the_mean_and_stays_within_what_was_seen(parts: list[int], failed: int) -> None:
    found = summed_up(parts, failed=failed)
    assert min(parts) <= found.low <= sum(parts) / len(parts) + 1e-9
    assert sum(parts) / len(parts) - 1e-9 <= found.high <= max(parts) == found.most
    assert (found.sampled, found.failed) == (len(parts) + failed, failed)


def test_units_cost_what_held_when_they_were_sent() -> None:
    prices = Tariff("EUR", (row(10, place="+49"), row(20, 30, place="+49", valid_from=MARCH)))
    spring = UUID(int=5)
    units = [
        Units("sms", "gone", "+49", 0, None, 1, 1),
        Units("sms", "gone", "+49", 1, spring, 100, 150),
        Units("sms", "gone", "+49", 2, spring, 10, 20),
        Units("push", "gone", "", 2, spring, 10, 10),
    ]
    cost = _without_accounts(units, prices)
    assert (cost.low, cost.high, cost.text) == (1_900, 2_100, "0.0019 to 0.0021 EUR")
    assert [(line.channel, line.parts, line.low, line.high, line.is_priced) for line in cost.lines] == [
        ("sms", 150, 1_500, 1_500, True),
        ("sms", 20, 400, 600, True),
        ("push", 10, 0, 0, False),
        ("sms", 1, 0, 0, False),
    ]


def _without_accounts(units: list[Units], prices: Tariff) -> costing.Cost:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costing.accounts, "account_by_key", lambda key: None)
        return costing.priced_units(units, prices)


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (0, "0.00 EUR"),
        (1_234_567_890, "1,234.57 EUR"),
        (400, "0.0004 EUR"),
        (9_999, "0.009999 EUR"),
        (10_000, "0.01 EUR"),
    ],
)
def test_amounts_are_said_as_people_read_them(micros: int, said: str) -> None:
    assert money.words(micros, "EUR") == said


def test_a_span_of_one_amount_is_one_amount() -> None:
    assert money.span(12_000_000, 12_000_001, "CHF") == "12.00 CHF"
    assert money.span(12_000_000, 15_500_000, "CHF") == "12.00 to 15.50 CHF"
