"""Whatever people chose and tenants lay down: who opted out gets nothing that is not critical, at whatever stage it is judged."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from apps.core.enums import Category, Channel, DigestFrequency, EndpointKind, GroupBy, KeyMode, Priority, Reason
from apps.core.types import Choices, Default, Endpoint, Grouping, Mute, Recipient, Switch, TenantRules
from apps.routing.deciding import decide
from apps.routing.decisions import Send, Skip
from apps.routing.facts import Case, Person, Stage, Wish

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROSA = Recipient(UUID(int=1), UUID(int=9), "u_rosa", "de", "Europe/Berlin", {}, is_blocked=False)
ADDRESSES = tuple(
    Endpoint(UUID(int=10 + n), ROSA.id, channel, EndpointKind.EMAIL, "x", b"%d" % n, "x", "", True, False)
    for n, channel in enumerate((Channel.PUSH, Channel.EMAIL, Channel.SMS))
)
# the ladder of the documentation, most exact first
TOPICS = ("post.liked.twice", "post.liked.*", "post.*", "category:social", "*")
topics = st.sampled_from((*TOPICS, "post.shared", "order.*", "category:marketing", "category:critical"))
channels = st.sampled_from((*Channel, "*"))
frequencies = st.none() | st.sampled_from(DigestFrequency)
switches = st.builds(Switch, topics, channels, st.booleans(), frequencies)
defaults = st.builds(Default, topics, channels, st.booleans(), frequencies, st.booleans(), st.just("r"))
mutes = st.builds(Mute, topics, channels, st.sampled_from((NOW - timedelta(1), NOW, NOW + timedelta(1))))


def once(rows):
    return tuple({(row.topic, row.channel): row for row in rows}.values())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    chosen = Choices(1, once(draw(st.lists(switches, max_size=6))), once(draw(st.lists(mutes, max_size=3))))
    rules = TenantRules(once(draw(st.lists(defaults, max_size=6))))
    grouping = draw(st.none() | st.just(Grouping(GroupBy.OBJECT, timedelta(minutes=5), leads=draw(st.booleans()))))
    wish = Wish(
        draw(st.sampled_from((Category.SOCIAL, Category.CRITICAL))),
        "post.liked.twice",
        draw(st.sampled_from(Priority)),
        KeyMode.LIVE,
        "ann",
        None,
        "p1",
        grouping,
        draw(st.booleans()),
        timedelta(seconds=draw(st.sampled_from((0, 60)))),
    )
    person = Person(ROSA, ADDRESSES, chosen, {}, is_guest=False)
    channel, stage = draw(st.sampled_from(Channel)), draw(st.sampled_from(Stage))
    return Case(wish, person, channel, NOW, rules=rules, stage=stage, asked_at=NOW)


def word(rows, channel):
    """By the letter of the documentation: the first rung with a word of its own, a named channel before `*`."""
    for topic in TOPICS:
        for name in (channel, "*"):
            if found := [row for row in rows if (row.topic, row.channel) == (topic, name)]:
                return found[0]
    return None


def wants_it(case: Case) -> bool:
    rules, chosen = case.rules.defaults, case.person.choices
    for mute in chosen.mutes:
        if mute.until > NOW and mute.topic in TOPICS and mute.channel in (case.channel, "*"):
            return False
    for rows in ([d for d in rules if d.is_locked], chosen.switches, rules):
        if found := word(rows, case.channel):
            return found.is_on
    return True


def critical_may_be_refused(case: Case) -> bool:
    for name in (case.channel, "*"):
        if found := [d for d in case.rules.defaults if (d.topic, d.channel) == ("category:critical", name)]:
            return found[0].is_on and not found[0].is_locked
    return False


NO = {Reason.TOPIC_OFF, Reason.CHANNEL_OFF, Reason.OFF_BY_DEFAULT, Reason.MUTED}


@settings(max_examples=200, deadline=None)
@given(cases())
def test_who_opted_out_gets_nothing_that_is_not_critical(case: Case) -> None:
    case = structs.replace(case, wish=structs.replace(case.wish, category=Category.SOCIAL))
    decision = decide(case)
    if wants_it(case):
        assert not (isinstance(decision, Skip) and decision.reason in NO)
    else:
        assert isinstance(decision, Skip) and decision.reason in NO


def critical_word(rows, channel):
    for topic in ("post.liked.twice", "post.liked.*", "post.*", "category:critical", "*"):
        for name in (channel, "*"):
            if found := [row for row in rows if (row.topic, row.channel) == (topic, name)]:
                return found[0]
    return None


@settings(max_examples=200, deadline=None)
@given(cases())
def test_critical_is_sent_whatever_they_chose_unless_the_tenant_lets_them_go(case: Case) -> None:
    case = structs.replace(case, wish=structs.replace(case.wish, category=Category.CRITICAL))
    decision = decide(case)
    if not critical_may_be_refused(case):
        assert isinstance(decision, Send)
        return
    rules, chosen = case.rules.defaults, case.person.choices
    of_critical = ("post.liked.twice", "post.liked.*", "post.*", "category:critical", "*")
    is_muted = any(m.until > NOW and m.topic in of_critical and m.channel in (case.channel, "*") for m in chosen.mutes)
    words = (critical_word(rows, case.channel) for rows in ([d for d in rules if d.is_locked], chosen.switches, rules))
    found = next((one for one in words if one), None)
    assert isinstance(decision, Send) is not (is_muted or (found is not None and not found.is_on))
