"""Frequency caps under twenty workers, with a Redis that is emptied, restarted or gone: never one too many."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from threading import Lock
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.core import clock, ids, redis
from apps.core.enums import CapPeriod, Category, Channel, KeyMode, Priority, WorkKind
from apps.core.types import Cap, NotificationFacts, Work
from apps.dispatch import capping
from apps.dispatch.capping import Asked
from apps.dispatch.send_batch import send_batch
from apps.ledger import work as items
from apps.ledger.models import WorkItem
from apps.preferences import counting
from apps.preferences.models import Reservation
from tests.integration import caps_cast
from tests.integration.caps_cast import cap, in_threads, sent
from tests.integration.dispatch_cast import (
    LEASE,
    Carrier,
    claimed,
    endpoint,
    left,
    make_due,
    notify,
    people,
    person,
    route,
    send,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung

EMAIL = "send.transactional.email"
SEVEN = Cap(UUID(int=7), "seven", 7, CapPeriod.ROLLING, timedelta(hours=1))


@pytest.fixture(autouse=True)
def counted(rung: list[str], carrier: Carrier) -> Iterator[None]:
    caps_cast.begin()
    yield
    caps_cast.end()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Redis, as far as caps are concerned, until it is called."""

    def gone(*_: object, **__: object) -> Any:
        raise redis.RedisError

    with monkeypatch.context() as patch:
        patch.setattr(counting, "reserve", gone)
        patch.setattr(counting, "give_back", gone)
        yield patch.undo


def asked(recipient: UUID, owner: UUID) -> Asked:
    n = NotificationFacts(
        id=ids.new(),
        tenant_id=owner,
        recipient_id=recipient,
        mode=KeyMode.LIVE,
        category=Category.SOCIAL,
        event_type="post.liked",
        template_key="",
        channels=(),
        priority=Priority.NORMAL,
        data={},
        content={},
        expires_at=None,
        actor_id="",
        object_id="",
        ordering_key="",
    )
    work = Work(
        id=ids.new(),
        kind=WorkKind.SEND,
        queue="send.social.push",
        lane=Category.SOCIAL,
        channel=Channel.PUSH,
        tenant_id=owner,
        notification_id=n.id,
        lease_token=1,
        tries=0,
        calls=0,
        expiries=0,
        priority=1,
        expires_at=None,
        ordering_key="",
        order_at=clock.now(),
    )
    return Asked(work, n, "Europe/Berlin", (SEVEN,))


def asked_by_twenty(recipient: UUID, owner: UUID) -> Counter[Cap | None]:
    prepared = [asked(recipient, owner) for _ in range(100)]

    def one() -> Cap | None:
        mine = prepared.pop()
        for _ in range(20):
            found = capping.reserve([mine], clock.now())
            if not found.waits:
                return found.over.get(mine.work.id)
            sleep(0.1)
        raise AssertionError("it waits for ever")

    return Counter(in_threads(20, one, times=5))


def test_never_one_too_many_under_twenty_workers() -> None:
    assert asked_by_twenty(uuid4(), uuid4()) == {None: 7, SEVEN: 93}


@pytest.mark.django_db(transaction=True)
def test_nor_while_redis_is_away_nor_when_it_is_back(away: Any) -> None:
    rosa, owner = person(), tenant()
    assert asked_by_twenty(rosa, owner) == {None: 7, SEVEN: 93}
    assert Reservation.objects.of(owner).count() == 7
    away()
    assert asked_by_twenty(rosa, owner) == {SEVEN: 100}


@pytest.mark.django_db(transaction=True)
def test_nor_for_who_is_first_at_redis_when_it_is_back(away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another had asked before, and was to tell it that postgresql had counted."""
    rosa, owner = person(), tenant()
    assert asked_by_twenty(rosa, owner) == {None: 7, SEVEN: 93}
    away()
    last, first, reserve = asked(rosa, owner), asked(rosa, owner), counting.reserve
    overtaken: list[capping.Refused] = []

    def late(*units: Any, **how: Any) -> Any:
        monkeypatch.setattr(counting, "reserve", reserve)
        overtaken.append(capping.reserve([first], clock.now()))
        return reserve(*units, **how)

    monkeypatch.setattr(counting, "reserve", late)
    assert capping.reserve([last], clock.now()) == capping.Refused({last.work.id: SEVEN})
    assert overtaken == [capping.Refused({first.work.id: SEVEN})]
    assert capping._here.away_since is None


@pytest.mark.django_db(transaction=True)
def test_nor_when_redis_goes_away_while_another_has_its_answer(away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rosa, owner = person(), tenant()
    gone, granted = counting.reserve, capping.Refused()
    away()
    reserve, meanwhile = counting.reserve, []

    def then_gone(*units: Any, **how: Any) -> Any:
        found = reserve(*units, **how)
        monkeypatch.setattr(counting, "reserve", gone)
        meanwhile.extend(capping.reserve([asked(rosa, owner)], clock.now()) for _ in range(6))
        monkeypatch.setattr(counting, "reserve", reserve)
        return found

    monkeypatch.setattr(counting, "reserve", then_gone)
    assert [capping.reserve([asked(rosa, owner)], clock.now()), *meanwhile] == [granted] * 7
    last = asked(rosa, owner)
    assert capping.reserve([last], clock.now()) == capping.Refused({last.work.id: SEVEN})


@pytest.mark.django_db(transaction=True)
def test_nor_when_redis_is_emptied_in_the_middle(carrier: Carrier) -> None:
    """Twenty workers send to four people, 40 messages each; everything that Redis knows is lost after a while, and once more."""
    cap(7)
    who = people(4)
    for _ in range(40):
        notify(who)
    route()
    got: Counter[str] = Counter()
    lock = Lock()

    def lose(messages: Any) -> None:
        with lock:
            before = sum(got.values())
            got.update(message.address for message in messages)
            if any(before < moment <= sum(got.values()) for moment in (6, 16)):
                redis.quick().flushdb()

    carrier.during = lose

    def work() -> None:
        ends = monotonic() + 60
        while works := items.claim(queue=EMAIL, limit=3, lease=LEASE, weights={}):
            send_batch(works, ends)

    for _ in range(40):
        in_threads(20, work)
        if not left():
            break
        WorkItem.objects.all_tenants().filter(phase=0).update(due_at=clock.now() - timedelta(minutes=1))
    assert left() == []
    assert list(got.values()) == [7] * 4
    assert Counter(states()) == {("email", "sent", ""): 28, ("email", "skipped", "frequency_cap"): 132}


@pytest.mark.django_db
def test_what_redis_forgot_is_brought_from_the_ledger_once() -> None:
    cap(3), cap(5, period="week", name="week")
    rosa = person()
    endpoint(rosa)
    notify([rosa] * 2)
    route()
    send()
    redis.quick().flushdb()
    notify([rosa] * 2)
    route()
    send()
    assert sent() == {"email": 3}
    assert states().count(("email", "skipped", "frequency_cap")) == 1
    kept = redis.quick().keys("cap:*")
    assert len(kept) == 2 and all(
        redis.quick().zcard(key) == 4 for key in kept
    )  # three, and the mark that they are all


@pytest.mark.django_db
def test_a_restarted_redis_counts_anew_even_with_its_memory() -> None:
    """What it had on disk may lack the last second."""
    cap(2)
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    send()
    (key,) = redis.quick().keys("cap:*")
    redis.quick().zremrangebyrank(key, 0, -1)
    redis.quick().set(counting.SINCE, b"0123456789abcdef:1")
    notify([rosa] * 2)
    route()
    send()
    assert sent() == {"email": 2}


@pytest.mark.django_db
def test_it_waits_while_somebody_who_asked_before_may_have_the_last_place(carrier: Carrier) -> None:
    cap(1)
    rosa = person()
    endpoint(rosa)
    notify([rosa])
    route()
    first = claimed(EMAIL)
    redis.quick().flushdb()
    notify([rosa])
    route()
    send()
    assert (sent(), states()) == ({}, [("email", "queued", "")] * 2)
    again = WorkItem.objects.all_tenants().get(phase=0)
    assert timedelta(0) < again.due_at - clock.now() <= timedelta(seconds=2 * capping.WAITS)
    send_batch(first, monotonic() + 60)
    make_due()
    send()
    assert sent() == {"email": 1} and left() == []


@pytest.mark.django_db
def test_critical_goes_out_whatever_has_become_of_redis(away: Any) -> None:
    cap(1)
    rosa = person()
    endpoint(rosa)
    notify([rosa] * 3, category=Category.CRITICAL)
    route("critical")
    send("send.critical.email")
    assert sent() == {"email": 3} and Reservation.objects.of(tenant()).count() == 0


@pytest.mark.django_db
def test_places_in_postgresql_are_given_back_too(
    away: Any, django_capture_on_commit_callbacks: Any, carrier: Carrier
) -> None:
    from apps.core.enums import OutcomeKind
    from apps.core.types import Outcome

    cap(1)
    rosa = person()
    endpoint(rosa)
    carrier.says = [Outcome(OutcomeKind.REJECTED, "no"), Outcome(OutcomeKind.ACCEPTED)]
    with django_capture_on_commit_callbacks(execute=True):
        notify([rosa])
        route()
        send()
    assert Reservation.objects.of(tenant()).count() == 0
    notify([rosa] * 2)
    route()
    send()
    assert sent() == {"email": 1}
