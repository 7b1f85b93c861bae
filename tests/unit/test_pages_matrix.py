"""What each cell shows, and what a changed one means: nothing else is touched, and it can be taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.enums import Category, Channel, DigestFrequency
from apps.core.types import Change, Choices, Default, EventType, Mute, QuietHours, Switch, TenantRules
from apps.pages.matrix import MIXED, STATES, matrix, state_of
from apps.pages.wishes import cells_changed, inverse, paused, quiet, topic_off, whole_category
from apps.preferences.differences import applied

ID, NOW = UUID(int=7), datetime(2026, 11, 21, 9, tzinfo=UTC)
FREE = TenantRules()


def kind(key: str, category: Category, *channels: Channel) -> EventType:
    return EventType(ID, ID, key, key.title(), category, "", channels, (), timedelta(0), (), "")


LIKE = kind("like.new", Category.SOCIAL, Channel.PUSH, Channel.IN_APP)
COMMENT = kind("comment.new", Category.SOCIAL, Channel.EMAIL, Channel.PUSH)
NEWS = kind("news.weekly", Category.MARKETING, Channel.EMAIL)
OFFER = kind("offer.daily", Category.MARKETING, Channel.EMAIL, Channel.PUSH)
CODE = kind("login.code", Category.CRITICAL, Channel.SMS)
KINDS = (LIKE, COMMENT, NEWS, OFFER, CODE)


NOTHING = Choices()


def shown(choices: Choices = NOTHING, rules: TenantRules = FREE) -> dict[str, str]:
    return {cell.field: cell.state for cell in matrix(KINDS, choices, rules).cells}


def after(choices: Choices, change: Change) -> Choices:
    return applied(choices, change, source="settings_page", now=NOW)


def test_a_category_is_over_its_event_types_and_mixed_where_they_differ() -> None:
    found = shown(Choices(switches=(Switch("like.new", "push", False),)))
    assert (found["like.new|push"], found["comment.new|push"], found["category:social|push"]) == ("off", "on", MIXED)
    assert found["category:social|in_app"] == "on"
    assert "category:social|sms" not in found and "like.new|email" not in found


def test_a_category_with_one_event_type_has_no_row_of_its_own() -> None:
    assert [key for key in shown() if "critical" in key] == []


def test_locked_cells_say_why_and_cannot_be_changed() -> None:
    rules = TenantRules((Default("news.*", "email", True, is_locked=True, reason="By law."),))
    found = matrix(KINDS, Choices(), rules)
    locks = {cell.field: cell.lock for cell in found.cells if cell.lock is not None}
    assert locks == {"news.weekly|email": "By law.", "login.code|sms": Category.CRITICAL.sentence}
    asked = {cell.field: "off" for cell in found.cells if cell.lock is not None}
    assert cells_changed(asked, found, Choices(), rules) == Change()


def test_critical_can_be_changed_where_the_tenant_lets_people() -> None:
    rules = TenantRules((Default("category:critical", "*", True),))
    assert [cell.lock for cell in matrix([CODE], Choices(), rules).cells] == [None]


def test_only_what_is_not_as_it_was_shown_is_a_choice() -> None:
    found = matrix(KINDS, Choices(), FREE)
    asked = {cell.field: cell.state for cell in found.cells} | {"comment.new|email": "weekly", "like.new|sms": "off"}
    asked |= {"news.weekly|email": "sometimes", "order.x|email": "off"}
    change = cells_changed(asked, found, Choices(), FREE)
    assert change == Change(switches=(Switch("comment.new", "email", True, DigestFrequency.WEEKLY),))


def test_a_category_wins_over_what_was_chosen_for_its_event_types() -> None:
    before = Choices(switches=(Switch("news.*", "email", True), Switch("offer.daily", "email", True)))
    found = matrix(KINDS, before, FREE)
    change = cells_changed({"category:marketing|email": "off"}, found, before, FREE)
    then = after(before, change)
    assert {key: state for key, state in shown(then).items() if state == "off"} == {
        "category:marketing|email": "off",
        "news.weekly|email": "off",
        "offer.daily|email": "off",
    }
    assert state_of("offer.daily", Category.MARKETING, Channel.PUSH, then, FREE) == "on"


def test_no_marketing_is_no_marketing_whatever_was_chosen() -> None:
    before = Choices(
        switches=(
            Switch("*", "push", True),
            Switch("news.*", "*", True),
            Switch("category:marketing", "push", True),
            Switch("offer.daily", "email", True, DigestFrequency.DAILY),
        )
    )
    marketing = [one for one in KINDS if one.category == Category.MARKETING]
    then = after(before, whole_category(Category.MARKETING, ["*"], "off", marketing, before, FREE))
    states = {
        state_of(key, Category.MARKETING, c, then, FREE) for key in ("", "news.weekly", "offer.daily") for c in Channel
    }
    assert states == {"off"}
    assert state_of("like.new", Category.SOCIAL, Channel.PUSH, then, FREE) == "on"


def test_a_single_kind_of_message_is_one_choice() -> None:
    assert topic_off("news.weekly", "email", KINDS, Choices(), FREE) == Change(
        switches=(Switch("news.weekly", "email", False),)
    )


_CELLS = st.tuples(
    st.sampled_from(["like.new", "comment.new", "news.*", "category:social", "category:marketing", "*"]),
    st.sampled_from([*(c.value for c in Channel), "*"]),
)
_SWITCHES = st.dictionaries(_CELLS, st.tuples(st.booleans(), st.none() | st.sampled_from(DigestFrequency))).map(
    lambda found: tuple(Switch(*cell, on, digest if on else None) for cell, (on, digest) in sorted(found.items()))
)
_MUTES = st.dictionaries(_CELLS, st.integers(1, 500)).map(
    lambda found: tuple(Mute(*cell, NOW + timedelta(hours=hours)) for cell, hours in sorted(found.items()))
)
_CHOICES = st.builds(
    Choices,
    switches=_SWITCHES,
    mutes=_MUTES,
    quiet_hours=st.none() | st.just(()) | st.just((QuietHours(60, 120),)),
    digest_hour=st.integers(0, 23),
    blocked_actors=st.frozensets(st.sampled_from("abc")),
)


@settings(deadline=None)
@given(
    _CHOICES,
    st.dictionaries(st.sampled_from(sorted(shown())), st.sampled_from([*STATES, MIXED])),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_changed_can_be_taken_back(
    before: Choices, asked: dict[str, str], pauses: bool, ends: bool
) -> None:
    change = cells_changed(asked, matrix(KINDS, before, FREE), before, FREE)
    silence = paused(NOW + timedelta(days=1)) if pauses else paused(None) if ends else Change()
    change = replace(
        change, muted=silence.muted, unmuted=silence.unmuted, quiet_hours=quiet(None, is_own=True).quiet_hours
    )
    change = replace(change, blocked_actors=frozenset())
    back = after(after(before, change), inverse(before, change, NOW))
    assert replace(back, version=0) == before


@settings(deadline=None)
@given(_CHOICES, st.sampled_from(sorted(shown())), st.sampled_from(STATES))
def test_what_a_person_chooses_is_what_the_page_then_shows(before: Choices, field: str, state: str) -> None:
    change = cells_changed({field: state}, matrix(KINDS, before, FREE), before, FREE)
    is_locked = field.startswith("login.code")
    assert shown(after(before, change))[field] == ("on" if is_locked else state)
