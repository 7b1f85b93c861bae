"""When a run is stopped by itself, and in which words."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.braking import NEVER, RULES, Brake, Evidence, judge, limits, percent
from apps.campaigns.intervals import BOTH, SURE, wilson
from apps.core.enums import Channel

DEFAULTS = limits({}, {})
FIELDS = {
    "complaints": ("complained", "sent"),
    "bounces": ("bounced", "tried"),
    "opt_outs": ("opted_out", "sent"),
    "render_errors": ("render_errors", "rendered"),
    "rejections": ("rejected", "tried"),
    "missing": ("missing", "overdue"),
}


def seen(name: str, bad: int, total: int, channel: Channel = Channel.EMAIL, usual: float = 0.0) -> Evidence:
    bad_field, all_field = FIELDS[name]
    return Evidence(channel, usual=usual, **{bad_field: bad, all_field: total})  # type: ignore[arg-type]


def test_it_says_what_happened_with_its_numbers() -> None:
    assert judge([seen("bounces", 31, 412)], DEFAULTS) == Brake(
        "brake_bounces", "Paused by itself: 31 of 412 mails bounced (7.5 %, limit 5 %)."
    )
    assert judge([seen("complaints", 12, 1_500)], DEFAULTS) == Brake(
        "brake_complaints", "Paused by itself: 12 of 1,500 mails were reported as unwanted (0.8 %, limit 0.2 %)."
    )
    assert judge([seen("opt_outs", 60, 1_000, Channel.SMS)], DEFAULTS) == Brake(
        "brake_opt_outs", "Paused by itself: 60 of 1,000 texts made their recipients opt out (6 %, limit 2 %)."
    )
    assert judge([seen("render_errors", 20, 20, Channel.PUSH)], DEFAULTS) == Brake(
        "brake_render_errors", "Paused by itself: 20 of 20 pushes could not be rendered (100 %, limit 5 %)."
    )
    assert judge([seen("rejections", 20, 50)], DEFAULTS) == Brake(
        "brake_rejections", "Paused by itself: 20 of 50 mails were refused by the provider (40 %, limit 10 %)."
    )
    assert judge([seen("missing", 90, 100, usual=0.25)], DEFAULTS) == Brake(
        "brake_missing", "Paused by itself: 90 of 100 mails have no receipt, though it is overdue (90 %, limit 45 %)."
    )


def test_a_few_bad_ones_are_no_evidence() -> None:
    assert judge([seen("bounces", 4, 50)], DEFAULTS) is None
    assert judge([seen("bounces", 40, 49)], DEFAULTS) is None
    assert judge([seen("complaints", 2, 100)], DEFAULTS) is None
    assert judge([seen("bounces", 4, 60)], DEFAULTS) is None
    # 6 %, but chance makes that of 5 % often enough
    assert judge([seen("bounces", 24, 400)], DEFAULTS) is None
    assert judge([seen("bounces", 240, 4_000)], DEFAULTS) is not None


def test_the_campaigns_own_limit_comes_before_the_tenants() -> None:
    assert limits({"bounces": 8}, {"bounces": 3, "complaints": 0.1}) == {**DEFAULTS, "bounces": 8.0, "complaints": 0.1}
    assert limits(None, None) == DEFAULTS
    assert judge([seen("bounces", 31, 412)], limits({"bounces": 8}, {"bounces": 3})) is None
    assert judge([seen("bounces", 412, 412)], limits({"bounces": NEVER}, {})) is None


def test_each_channel_is_judged_by_itself_and_the_worst_is_named() -> None:
    good, bad = seen("bounces", 0, 100_000), seen("bounces", 60, 100, Channel.SMS)
    found = judge([good, seen("bounces", 20, 100), bad], DEFAULTS)
    assert found is not None
    assert found.sentence == "Paused by itself: 60 of 100 texts bounced (60 %, limit 5 %)."


def test_complaints_are_named_before_bounces() -> None:
    one = replace(seen("bounces", 60, 100), complained=60, sent=100)
    found = judge([one], DEFAULTS)
    assert found is not None
    assert found.reason_code == "brake_complaints"


@pytest.mark.parametrize(
    ("value", "said"), [(7.52, "7.5 %"), (5.0, "5 %"), (0.1, "0.1 %"), (0.255, "0.26 %"), (100, "100 %")]
)
def test_shares_are_short(value: float, said: str) -> None:
    assert percent(value) == said


sizes = st.integers(0, 20_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
names = st.sampled_from([rule.name for rule in RULES])


@given(names, sizes, st.floats(0, 60))
def test_what_is_within_the_limit_never_stops_it(name: str, counts: tuple[int, int], limit: float) -> None:
    bad, total = counts
    if total and bad / total * 100 <= limit:
        assert judge([seen(name, bad, total)], {**DEFAULTS, name: limit}) is None


@given(names, sizes)
def test_too_little_data_never_stops_it(name: str, counts: tuple[int, int]) -> None:
    rule = next(rule for rule in RULES if rule.name == name)
    bad, total = counts
    if total < rule.least or bad < rule.least_bad:
        assert judge([seen(name, bad, total)], {**DEFAULTS, name: 0.0}) is None


@given(names, sizes, st.floats(0, 60), st.integers(1, 50))
def test_more_of_the_same_never_frees_it(name: str, counts: tuple[int, int], limit: float, times: int) -> None:
    (bad, total), said = counts, {**DEFAULTS, name: limit}
    if judge([seen(name, bad, total)], said):
        assert judge([seen(name, bad * times, total * times)], said)
        assert judge([seen(name, min(bad + times, total), total)], said)
        assert judge([seen(name, bad, total)], {**said, name: limit / 2})


@given(sizes, st.floats(0, 0.9))
def test_what_is_usually_missing_is_no_evidence(counts: tuple[int, int], usual: float) -> None:
    bad, total = counts
    if total and bad / total <= usual:
        assert judge([seen("missing", bad, total, usual=usual)], DEFAULTS) is None


@given(sizes, st.sampled_from([BOTH, SURE]))
def test_the_interval_is_where_the_score_test_accepts(counts: tuple[int, int], z: float) -> None:
    """Its ends solve (share - p)^2 = z^2 p (1 - p) / n."""
    bad, total = counts
    low, high = wilson(bad, total, z)
    assert 0 <= low <= (bad / total if total else 0.5) <= high <= 1
    for end in (low, high):
        if total and 0 < end < 1:
            share, p = Fraction(bad, total), Fraction(end)
            left, right = (share - p) ** 2, Fraction(z) ** 2 * p * (1 - p) / total
            assert abs(float(left - right)) <= 1e-9 + 1e-6 * float(right)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == 1.0
    assert wilson(31, 412).low == pytest.approx(0.0535, abs=0.0005)
