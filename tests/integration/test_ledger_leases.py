"""Leases: what one claim took is noted together, forgotten when all of it is done, and found when its time is over."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core import clock
from apps.core.enums import Category, DeliveryStatus
from apps.dispatch import draining
from apps.ledger import leases, work
from apps.ledger.models import Lease, Notification, WorkItem
from apps.ledger.sending_results import Settlement, settle
from apps.ledger.spent import on_their_way
from tests.integration.dispatch_cast import LEASE, Carrier, claimed, lapse_leases, left, notify, people, route
from tests.integration.dispatch_cast import carrier as carrier  # a fixture
from tests.integration.dispatch_cast import rung as rung  # a fixture
from tests.integration.test_ledger_claim_plans import LANE, explained
from tests.integration.test_ledger_claiming import QUEUE, waiting

pytestmark = pytest.mark.django_db
EMAIL = "send.transactional.email"
BY_ID = "ledger_work_item_transactional_pkey"


def noted() -> list[tuple[UUID, str, set[UUID]]]:
    return [(one.id, one.lane, set(one.items)) for one in Lease.objects.order_by("id")]


def looked_at_in() -> timedelta:
    return Lease.objects.get().look_at - clock.now()


def ended(works: Any) -> set[UUID]:
    return settle([Settlement(w, status=DeliveryStatus.SENT) for w in works])


def test_a_claim_notes_what_it_took() -> None:
    waiting(5)
    first, second = claimed(QUEUE, 3), claimed(QUEUE)
    assert [len(first), len(second)] == [3, 2]
    assert noted() == sorted((works[0].lease_id, "transactional", {w.id for w in works}) for works in (first, second))


def test_a_claim_of_nothing_notes_nothing() -> None:
    assert (claimed(QUEUE), work.claim_lone(queue=QUEUE, lease=LEASE), noted()) == ([], [], [])


def test_a_lease_is_closed_when_all_of_it_is_done_or_given_back() -> None:
    waiting(3)
    sent, kept, back = works = claimed(QUEUE)
    ended([sent])
    work.release(lane="transactional", works=[back])
    leases.close(works)
    assert noted() == [(kept.lease_id, "transactional", {w.id for w in works})]
    ended([kept])
    leases.close(works)
    assert (noted(), left()) == ([], [(QUEUE, 0)])


def test_a_batch_closes_its_leases(rung: list[str], carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)
    notify(people(3))
    route()
    before = noted()
    assert draining.drain(EMAIL) == 3
    assert (noted(), left()) == (before, [])


def test_what_lapses_is_found_once_and_its_lease_is_gone() -> None:
    waiting(3)
    done, *_ = works = claimed(QUEUE)
    ended([done])
    assert leases.lapse() == []
    lapse_leases()
    assert {found.work.id for found in leases.lapse()} == {w.id for w in works} - {done.id}
    assert (leases.lapse(), noted()) == ([], [])


def test_what_is_still_being_worked_at_is_looked_at_again_when_its_time_is_over() -> None:
    """As a call is, whose lease is longer than that of its batch."""
    waiting(2)
    calling, dead = claimed(QUEUE)
    lapse_leases()
    until = clock.now() + timedelta(seconds=20)
    WorkItem.objects.all_tenants().filter(id=calling.id).update(phase=work.CALLING, lease_until=until)
    assert [found.work.id for found in leases.lapse()] == [dead.id]
    assert noted() == [(calling.lease_id, "transactional", {calling.id, dead.id})]
    assert timedelta(seconds=19) < looked_at_in() < timedelta(seconds=21)


def test_many_leases_are_looked_through_at_once() -> None:
    """Those of which nothing is left hide none of which something is."""
    count = leases.MOST * 2
    waiting(count + 1)
    for _ in range(count):
        ended(claimed(QUEUE, 1))
    (last,) = claimed(QUEUE, 1)
    lapse_leases()
    Lease.objects.filter(id=last.lease_id).update(look_at=clock.now() - timedelta(minutes=1))
    assert [found.work.id for found in leases.lapse()] == [last.id]
    assert noted() == []


def test_whoever_has_a_message_in_another_batch_is_known(rung: list[str]) -> None:
    rosa, tom = people(2)
    notify([rosa])
    notify([tom])
    route()
    mine, theirs = claimed(EMAIL, 1), claimed(EMAIL, 1)
    later = clock.now() + LEASE + timedelta(seconds=1)
    others = {owner_of(theirs[0])}
    assert on_their_way(mine, [rosa, tom], later) == others
    assert on_their_way([*mine, *theirs], [rosa, tom], later) == set()
    assert on_their_way(mine, [rosa, tom], clock.now()) == set()
    WorkItem.objects.all_tenants().filter(id=theirs[0].id).update(phase=work.CALLING)
    assert on_their_way(mine, [rosa, tom], later) == set()


def owner_of(taken: Any) -> UUID:
    return Notification.objects.all_tenants().get(id=taken.notification_id).recipient_id


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("statement", [leases._LAPSE, leases._CLOSE, leases._PUT_OFF])
def test_looking_at_leases_reads_no_more_than_their_items(statement: str, is_known: bool) -> None:
    waiting(50_000)
    works = claimed(QUEUE, 20)
    lapse_leases()
    parameters = {"lane": LANE.value, "items": [w.id for w in works], "leases": [works[0].lease_id]}
    used, pages = explained(work.of_lane(statement, Category.TRANSACTIONAL), parameters, is_known=is_known)
    assert BY_ID in used
    assert pages < 1_000
