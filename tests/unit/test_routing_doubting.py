"""The policy of doubt: every category by every channel, what can be learnt, what an event type says, and time."""

import pytest

from apps.core.enums import Category, Channel, DoubtMove, ResendInDoubt
from apps.routing.doubting import LATEST, LEAVE, POLICIES, Doubt, Plan, next_plan, policy

LOOK, AGAIN, NEXT, NOT = DoubtMove.LOOK_UP, DoubtMove.RESEND, DoubtMove.NEXT_CHANNEL, DoubtMove.LEAVE
PUSH, EMAIL, SMS = Channel.PUSH, Channel.EMAIL, Channel.SMS
CARRIED = (PUSH, EMAIL, SMS)

# first move and its second: nothing to learn from / receipts / look-up / a channel follows / never / once
FIRST = {
    ("critical", "push"): [(AGAIN, 10), (AGAIN, 10), (LOOK, 10), (NEXT, 10), (NOT, 0), (AGAIN, 10)],
    ("critical", "email"): [(AGAIN, 10), (AGAIN, 10), (LOOK, 10), (NEXT, 10), (NOT, 0), (AGAIN, 10)],
    ("critical", "sms"): [(AGAIN, 3), (AGAIN, 3), (LOOK, 3), (NEXT, 3), (NOT, 0), (AGAIN, 3)],
    ("transactional", "push"): [(AGAIN, 30), (AGAIN, 60), (LOOK, 30), (AGAIN, 30), (NOT, 0), (AGAIN, 30)],
    ("transactional", "email"): [(NOT, 0), (NOT, 0), (LOOK, 30), (NOT, 0), (NOT, 0), (AGAIN, 60)],
    ("transactional", "sms"): [(NOT, 0), (NOT, 0), (LOOK, 30), (NOT, 0), (NOT, 0), (NOT, 0)],
    ("social", "push"): [(AGAIN, 30), (AGAIN, 60), (AGAIN, 60), (AGAIN, 30), (NOT, 0), (AGAIN, 30)],
    ("social", "email"): [(NOT, 0)] * 6,
    ("social", "sms"): [(NOT, 0)] * 6,
    ("marketing", "push"): [(NOT, 0)] * 6,
    ("marketing", "email"): [(NOT, 0)] * 6,
    ("marketing", "sms"): [(NOT, 0)] * 6,
}
SITUATIONS = [
    {},
    {"has_receipts": True},
    {"has_look_up": True},
    {"has_next": True},
    {"setting": ResendInDoubt.NEVER},
    {"setting": ResendInDoubt.ONCE},
]


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("channel", CARRIED)
def test_what_is_planned_first(category: Category, channel: Channel) -> None:
    found = [next_plan(Doubt(category, channel, **situation)) for situation in SITUATIONS]  # type: ignore[arg-type]
    assert [(plan.move, plan.wait) for plan in found] == FIRST[category, channel]


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("channel", CARRIED)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_there_is_never_a_third(category: Category, channel: Channel, situation: dict[str, object]) -> None:
    assert next_plan(Doubt(category, channel, is_resent=True, **situation)) == LEAVE  # type: ignore[arg-type]


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("channel", CARRIED)
@pytest.mark.parametrize("setting", list(ResendInDoubt))
def test_marketing_is_never_sent_again_and_never_means_never(
    category: Category, channel: Channel, setting: ResendInDoubt
) -> None:
    """Whatever the provider says, whatever can be learnt, at whatever age."""
    if category != Category.MARKETING and setting != ResendInDoubt.NEVER:
        return
    for age in (0, 3, 10, 60, 900, 100_000):
        for asked, absent in ((False, False), (True, False), (True, True)):
            for look_up in (False, True):
                doubt = Doubt(
                    category, channel, setting, has_look_up=look_up, was_asked=asked, is_absent=absent, age=age
                )
                assert next_plan(doubt).move in {NOT, LOOK}
                assert category != Category.MARKETING or next_plan(doubt) == LEAVE


def test_what_the_provider_does_not_have_is_sent_again_where_the_category_allows_it() -> None:
    found = {
        (category.value, channel.value)
        for category in Category
        for channel in CARRIED
        if next_plan(Doubt(category, channel, was_asked=True, is_absent=True, age=30)) == Plan(AGAIN)
    }
    assert found == {(c, ch) for c in ("critical", "transactional") for ch in ("push", "email", "sms")} | {
        ("social", "push")
    }


@pytest.mark.parametrize(
    ("age", "was_asked", "plan"),
    [
        (0.0, False, Plan(LOOK, 30)),
        (29.0, False, Plan(LOOK, 1)),
        (30.0, False, Plan(LOOK)),
        (31.0, True, Plan(LOOK, 89)),
        (120.5, False, Plan(LOOK)),
        (121.0, True, Plan(LOOK, 279)),
        (400.0, True, Plan(LOOK, 500)),
        (901.0, False, Plan(LOOK)),
        (901.0, True, LEAVE),
    ],
)
def test_a_provider_is_asked_four_times_in_a_quarter_of_an_hour(age: float, was_asked: bool, plan: Plan) -> None:
    sms = Doubt(Category.TRANSACTIONAL, SMS, has_look_up=True, age=age, was_asked=was_asked)
    assert next_plan(sms) == plan


def test_a_mail_that_may_be_repeated_waits_for_receipts_first() -> None:
    mail = {"category": Category.TRANSACTIONAL, "channel": EMAIL, "setting": ResendInDoubt.ONCE}
    assert next_plan(Doubt(**mail)) == Plan(AGAIN, 60)  # type: ignore[arg-type]
    assert next_plan(Doubt(**mail, has_receipts=True)) == Plan(AGAIN, 900)  # type: ignore[arg-type]
    assert next_plan(Doubt(**mail, has_look_up=True, was_asked=True, age=900.0)) == Plan(AGAIN)  # type: ignore[arg-type]


def test_nothing_is_sent_after_the_expiry() -> None:
    code = Doubt(Category.CRITICAL, SMS, expires_in=3.1)
    assert next_plan(code) == Plan(AGAIN, 3)
    for late in (3.0, 1.0, 0.0, -5.0):
        assert next_plan(Doubt(Category.CRITICAL, SMS, expires_in=late)) == LEAVE
        assert next_plan(Doubt(Category.CRITICAL, SMS, has_next=True, expires_in=late)) == LEAVE
    assert next_plan(Doubt(Category.CRITICAL, SMS, was_asked=True, is_absent=True, expires_in=0.0, age=3)) == LEAVE


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("channel", CARRIED)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_nothing_is_sent_half_an_hour_later(category: Category, channel: Channel, situation: dict[str, object]) -> None:
    assert next_plan(Doubt(category, channel, age=LATEST + 1, **situation)) == LEAVE  # type: ignore[arg-type]


def test_an_event_type_may_ask_for_the_same_channel_rather_than_the_next() -> None:
    assert next_plan(Doubt(Category.CRITICAL, SMS, ResendInDoubt.ONCE, has_next=True)) == Plan(AGAIN, 3)
    assert next_plan(Doubt(Category.CRITICAL, SMS, ResendInDoubt.NEVER, has_next=True)) == Plan(NEXT, 3)


def test_the_table_covers_everything_and_only_critical_moves_on() -> None:
    assert all(policy(category, channel) for category in Category for channel in Channel)
    assert {category for (category, _), rule in POLICIES.items() if rule.moves_on} == {Category.CRITICAL}
    assert max(rule.patience for rule in POLICIES.values()) == 900
