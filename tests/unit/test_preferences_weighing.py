"""What holds where several have a word."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.enums import Category, DigestFrequency
from apps.core.types import Choices, Default, Mute, Switch
from apps.preferences.topics import covers
from apps.preferences.weighing import Holding, Ruling, holding, may_refuse_critical, ruling

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OFF = Switch("*", "*", False)
SOCIAL, CRITICAL = Category.SOCIAL, Category.CRITICAL


def decides(switches=(), defaults=(), event_type="post.liked", category=SOCIAL, channel="email"):
    found = ruling(switches, defaults, event_type, category, channel)
    return found and (found.topic, found.channel, found.is_on, found.is_theirs)


LADDER = [
    Switch("post.liked", "email", True),
    Switch("post.liked", "*", False),
    Switch("post.liked.*", "email", False),
    Switch("post.*", "email", True),
    Switch("post.*", "*", False),
    Switch("category:social", "email", True),
    Switch("category:social", "*", False),
    Switch("*", "email", True),
    Switch("*", "*", False),
]


@pytest.mark.parametrize("fallen", range(len(LADDER)))
def test_exact_beats_pattern_beats_category_beats_all_and_a_channel_beats_every_channel(fallen: int) -> None:
    left = LADDER[fallen:]
    expected = next(s for s in left if s.topic != "post.liked.*")
    assert decides(switches=tuple(reversed(left))) == (expected.topic, expected.channel, expected.is_on, True)


def test_the_longest_pattern_decides() -> None:
    switches = (Switch("a.*", "*", True), Switch("a.b.*", "*", False))
    assert decides(switches, event_type="a.b.c") == ("a.b.*", "*", False, True)


@pytest.mark.parametrize("topic", ["post.like", "post", "ost.*", "category:marketing", "post.liked.more"])
def test_a_choice_about_something_else_says_nothing(topic: str) -> None:
    assert decides((Switch(topic, "*", False),)) is None


def test_an_exact_default_yields_to_the_persons_vaguest_word_unless_it_is_locked() -> None:
    default = Default("post.liked", "email", True)
    assert decides((OFF,), (default,)) == ("*", "*", False, True)
    assert decides((OFF,), (Default("*", "*", True, is_locked=True),)) == ("*", "*", True, False)
    assert decides((), (default,)) == ("post.liked", "email", True, False)


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        ((), False),
        ((Default("category:critical", "*", True),), True),
        ((Default("category:critical", "*", False),), False),
        ((Default("category:critical", "*", True, is_locked=True),), False),
        ((Default("category:critical", "sms", True),), False),
        ((Default("category:critical", "*", True), Default("category:critical", "email", True, is_locked=True)), False),
        ((Default("*", "*", True),), False),
    ],
)
def test_people_may_refuse_critical_where_the_tenant_says_so(defaults, expected) -> None:
    assert may_refuse_critical(defaults, "email") is expected


def holds(choices=Choices(), defaults=(), category=SOCIAL):  # noqa: B008
    return holding(choices, defaults, "post.liked", category, "email", NOW)


def test_what_holds_is_named_with_who_said_it() -> None:
    assert holds() == Holding(True)
    assert holds(Choices(switches=(Switch("*", "*", True, DigestFrequency.DAILY, "api", NOW),))) == Holding(
        True, DigestFrequency.DAILY, Ruling("*", "*", True, DigestFrequency.DAILY, True, source="api", since=NOW)
    )
    locked = Default("*", "*", True, is_locked=True, reason="By contract.")
    assert holds(Choices(switches=(OFF,)), (locked,)) == Holding(
        True, None, Ruling("*", "*", True, None, False, True, "By contract."), True, "By contract."
    )


def test_a_mute_holds_until_it_ends() -> None:
    muted = (Mute("*", "*", LATER), Mute("post.*", "*", NOW), Mute("*", "sms", LATER + timedelta(1)))
    assert holds(Choices(mutes=muted)) == Holding(True, muted_until=LATER)


def test_critical_is_on_whatever_was_chosen_unless_the_tenant_lets_people_go() -> None:
    chosen = Choices(switches=(OFF,), mutes=(Mute("*", "*", LATER),))
    forced = holds(chosen, category=CRITICAL)
    assert (forced.is_on, forced.is_locked, forced.reason, forced.muted_until) == (True, True, CRITICAL.sentence, None)
    free = holds(chosen, (Default("category:critical", "*", True),), CRITICAL)
    assert (free.is_on, free.is_locked, free.reason, free.muted_until) == (False, False, "", LATER)


@pytest.mark.parametrize(
    ("locked", "cell", "category", "expected"),
    [
        (("*", "*"), ("order.shipped", "email"), "", True),
        (("*", "email"), ("order.shipped", "*"), "", False),
        (("*", "email"), ("order.shipped", "sms"), "", False),
        (("order.*", "*"), ("order.shipped", "sms"), "", True),
        (("order.*", "*"), ("order.eu.*", "sms"), "", True),
        (("order.*", "*"), ("orders", "sms"), "", False),
        (("order.shipped", "*"), ("order.*", "sms"), "", False),
        (("category:social", "*"), ("post.liked", "sms"), "social", True),
        (("category:social", "*"), ("post.liked", "sms"), "marketing", False),
        (("category:social", "*"), ("post.*", "sms"), "", False),
        (("category:social", "*"), ("category:social", "sms"), "", True),
    ],
)
def test_a_lock_covers_a_cell_when_it_speaks_of_all_of_it(locked, cell, category, expected) -> None:
    assert covers(Default(*locked, True), Switch(*cell, True), category) is expected
