"""What people chose, kept in Redis by version: never out of date, and nothing lost without it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import transaction
from redis import Redis

from apps.audience.models import Recipient
from apps.audience.selectors import recipients
from apps.core import redis
from apps.core.enums import Channel, DigestFrequency
from apps.core.types import Author, Change, Choices, DigestTime, Mute, OwnQuietHours, QuietHours, Switch
from apps.preferences import choosing
from apps.preferences.changing import change_choices
from tests.integration import dispatch_cast as cast
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.statements import counted

pytestmark = pytest.mark.django_db
EVERYTHING = Change(
    switches=(Switch("order.*", "email", True, DigestFrequency.DAILY), Switch("*", "sms", False)),
    muted=(Mute("*", "*", datetime(2027, 1, 1, tzinfo=UTC)),),
    quiet_hours=OwnQuietHours((QuietHours(1320, 420, (Channel.PUSH,)),)),
    digest_time=DigestTime(7, 2),
    blocked_actors=frozenset({"ann"}),
)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a worker: the test's own transaction does not count."""
    monkeypatch.setattr(choosing, "connection", SimpleNamespace(in_atomic_block=False))


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    gone = Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2)
    monkeypatch.setattr(redis, "quick", lambda: gone)
    yield
    gone.close()


def change(who, wanted):
    return change_choices(tenant_id=cast.tenant(), recipient_id=who, change=wanted, by=Author("api"))


def off(channel="email", topic="*"):
    return Change(switches=(Switch(topic, channel, False),))


def known(*who) -> tuple[dict, int]:
    """What dispatch knows of their choices, and how many statements it took besides reading the people."""
    versions = {id_: person.preferences_version for id_, person in recipients(who).items()}
    with counted() as statements:
        found = choosing.choices(versions)
    return found, len(statements)


@pytest.mark.usefixtures("outside")
def test_who_never_chose_anything_costs_nothing() -> None:
    rosa = cast.person()
    assert known(rosa) == ({rosa: Choices()}, 0)
    assert not list(redis.quick().scan_iter(f"choices:*{rosa.hex}*"))


@pytest.mark.usefixtures("outside")
def test_a_change_is_written_through_as_the_database_has_it(django_capture_on_commit_callbacks) -> None:
    rosa = cast.person()
    with django_capture_on_commit_callbacks(execute=True):
        chosen = change(rosa, EVERYTHING)

    assert chosen == Choices(
        version=1,
        switches=(Switch("*", "sms", False), Switch("order.*", "email", True, DigestFrequency.DAILY)),
        mutes=EVERYTHING.muted,
        quiet_hours=EVERYTHING.quiet_hours.quiet_hours,
        digest_hour=7,
        digest_weekday=2,
        blocked_actors=frozenset({"ann"}),
    )
    assert choosing.stored([rosa]) == {rosa: chosen}
    assert known(rosa) == ({rosa: chosen}, 0)
    choosing.forget_cached()
    found, statements = known(rosa)
    assert (found, statements) == ({rosa: chosen}, 0)
    assert [(s.source, s.since) for s in found[rosa].switches] == [(s.source, s.since) for s in chosen.switches]
    assert 0 < redis.quick().ttl(f"choices:1:{rosa.hex}:1") <= choosing.KEPT_SECONDS


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize(("count", "again"), [(1, 0), (20, 0), (21, 1), (1_000, 1)])
def test_what_is_not_at_hand_takes_one_query_for_all_and_redis_keeps_it_for_a_few(count: int, again: int) -> None:
    people = cast.people(count)
    for who in people[:3]:
        change(who, off())
    Recipient.objects.filter(id__in=people[3:]).update(preferences_version=1)

    first, statements = known(*people)
    assert (len(first), statements) == (count, 1)
    assert first[people[0]].switches == (Switch("*", "email", False),)
    assert known(*people) == (first, 0)
    choosing.forget_cached()
    assert known(*people) == (first, again)


@pytest.mark.usefixtures("outside")
def test_the_next_reader_sees_a_change_whatever_is_kept_of_older_ones(django_capture_on_commit_callbacks) -> None:
    rosa = cast.person()
    for channel in ("email", "sms"):
        change(rosa, off(channel))
        known(rosa)
    with django_capture_on_commit_callbacks(execute=False):
        change(rosa, Change(cleared=frozenset({("*", "email")})))  # what was to be written through is lost

    assert known(rosa)[0][rosa].switches == (Switch("*", "sms", False),)
    choosing.forget_cached()
    assert known(rosa) == ({rosa: choosing.stored([rosa])[rosa]}, 0)


@pytest.mark.usefixtures("outside")
def test_a_redis_that_was_cut_off_comes_back_with_old_keys_that_nobody_reads(monkeypatch) -> None:
    rosa = cast.person()
    change(rosa, off("email"))
    known(rosa)
    with monkeypatch.context() as partition:
        partition.setattr(choosing, "_rest_until", float("inf"))
        change(rosa, off("sms"))
    choosing.forget_cached()

    found, statements = known(rosa)

    assert statements == 1
    assert found[rosa].switches == (Switch("*", "email", False), Switch("*", "sms", False))


@pytest.mark.usefixtures("outside", "no_redis")
def test_without_redis_the_database_answers_and_redis_is_left_alone_for_a_moment(caplog) -> None:
    rosa, mira = cast.person(), cast.person("mira")
    for who in (rosa, mira):
        change(who, off())
    choosing.forget_cached()

    for who in (rosa, mira):
        found, statements = known(who)
        assert (found[who].switches, statements) == ((Switch("*", "email", False),), 1)
    assert [record.message for record in caplog.records] == ["redis is away: choices are read from the database"]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("text", [b"", b"{", b'{"version": "x"}', b"[]"])
def test_what_redis_garbles_is_read_from_the_database(text: bytes) -> None:
    rosa = cast.person()
    chosen = change(rosa, off())
    choosing.forget_cached()
    redis.quick().set(f"choices:1:{rosa.hex}:1", text)
    assert known(rosa) == ({rosa: chosen}, 1)


@pytest.mark.usefixtures("outside")
def test_an_emptied_redis_is_filled_again() -> None:
    rosa = cast.person()
    chosen = change(rosa, off())
    known(rosa)
    redis.quick().flushdb()
    choosing.forget_cached()
    assert known(rosa) == ({rosa: chosen}, 1)
    choosing.forget_cached()
    assert known(rosa) == ({rosa: chosen}, 0)


def test_inside_a_transaction_nothing_is_kept_as_it_may_be_rolled_back() -> None:
    rosa = cast.person()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        change(rosa, off())
        assert known(rosa)[0][rosa].version == 1
        1 / 0  # noqa: B018
    assert not list(redis.quick().scan_iter(f"choices:*{rosa.hex}*"))
    assert rosa not in choosing._at_hand


def test_only_so_many_are_at_hand(monkeypatch) -> None:
    monkeypatch.setattr(choosing, "_MOST_AT_HAND", 2)
    people = [cast.person(f"u{n}") for n in range(3)]
    choosing.keep({who: Choices(version=1) for who in people})
    assert list(choosing._at_hand) == people[1:]


@pytest.mark.django_db(transaction=True)
def test_the_next_send_obeys(carrier, rung) -> None:
    """Real transactions, real Redis: nothing waits for anything to run out."""
    rosa = cast.person()
    cast.endpoint(rosa)
    seen = []
    for wanted in (off(), Change(cleared=frozenset({("*", "email")})), off(topic="category:transactional")):
        cast.notify([rosa])
        cast.route()
        cast.send()
        seen.append(len(carrier.messages))
        cast.notify([rosa])
        cast.route()
        change(rosa, wanted)  # between route and send
        cast.send()
        seen.append(len(carrier.messages))

    assert seen == [1, 1, 1, 1, 2, 2]
    assert [state[1:] for state in cast.states()] == [
        *[("sent", "")] * 2,
        *[("skipped", "channel_off")] * 3,
        ("skipped", "topic_off"),
    ]
