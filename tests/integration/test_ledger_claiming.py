"""Claiming: order, shares, ordering keys, leases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core import clock, ids
from apps.core.enums import DeliveryStatus, Priority
from apps.core.types import Rendered, Work
from apps.ledger import leases, work
from apps.ledger.models import WorkItem
from apps.ledger.sending_results import Intent, Settlement, settle, write_intents
from tests.integration.dispatch_cast import LEASE, claimed, item, lapse_leases, left, make_due, notify, soon, tenant

pytestmark = pytest.mark.django_db
SOMEBODY = UUID("0193a1b2-0000-7000-8000-000000000001")
QUEUE = "route.transactional"


def waiting(count: int, *, slug: str = "acme", queue: str = QUEUE, due_in: float = -60, step: float = 0) -> None:
    """Bare work items, many in one statement; each due `step` seconds after the one before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO ledger_work_item (id, lane, queue, kind, tenant_id, notification_id, due_at)
            SELECT uuidv7(), split_part(%(queue)s, '.', 2), %(queue)s, split_part(%(queue)s, '.', 1), %(tenant)s, uuidv7(),
                now() + (%(due)s + n * %(step)s) * interval '1 second' FROM generate_series(1, %(count)s) n""",
            {"queue": queue, "tenant": tenant(slug), "due": due_in, "step": step, "count": count},
        )


def by_tenant(works: list[Work]) -> dict[UUID, int]:
    return {owner: sum(w.tenant_id == owner for w in works) for owner in {w.tenant_id for w in works}}


def test_it_claims_high_priority_first_and_the_longest_due_first() -> None:
    (late,) = notify([SOMEBODY], due_at=soon(-10))
    (low,) = notify([SOMEBODY], priority=Priority.LOW, due_at=soon(-90))
    (early,) = notify([SOMEBODY], due_at=soon(-60))
    (high,) = notify([SOMEBODY], priority=Priority.HIGH)
    assert [claimed(QUEUE, 1)[0].id for _ in range(4)] == [high, early, late, low]
    assert claimed(QUEUE, 1) == []


def test_a_batch_is_in_that_order_too() -> None:
    expected = []
    for priority, due in ((Priority.LOW, -90), (Priority.NORMAL, -10), (Priority.HIGH, -1), (Priority.NORMAL, -60)):
        expected.append((priority.rank, due, *notify([SOMEBODY], priority=priority, due_at=soon(due))))
    assert [w.id for w in claimed(QUEUE)] == [id_ for _, _, id_ in sorted(expected)]


def test_a_claim_leases_and_says_everything_about_the_work() -> None:
    expires = soon(3600)
    (id_,) = notify([SOMEBODY], expires_at=expires, ordering_key="order-1")
    (found,) = claimed(QUEUE)
    row = item()
    assert found == Work(
        id=id_,
        kind="route",  # type: ignore[arg-type]
        queue=QUEUE,
        lane="transactional",  # type: ignore[arg-type]
        channel=None,
        tenant_id=tenant(),
        notification_id=id_,
        lease_token=1,
        tries=0,
        calls=0,
        expiries=0,
        priority=1,
        expires_at=expires,
        ordering_key=row.ordering_key,
        order_at=row.order_at,
        lease_id=found.lease_id,
    )
    assert (row.phase, row.lease_token) == (work.CLAIMED, 1)
    assert timedelta(seconds=28) < row.lease_until - clock.now() <= LEASE
    assert claimed(QUEUE) == []


def test_what_is_planned_for_later_is_not_claimed() -> None:
    notify([SOMEBODY], due_at=soon(5))
    assert claimed(QUEUE) == []
    assert work.due_queues([QUEUE]) == []
    assert left() == [(QUEUE, work.READY)]


def test_other_queues_and_lanes_are_left_alone() -> None:
    notify([SOMEBODY])
    assert claimed("route.critical") == claimed("send.transactional.email") == []
    assert left() == [(QUEUE, work.READY)]


def test_a_quiet_tenant_is_in_the_first_claim_beside_a_noisy_one() -> None:
    waiting(10_000, slug="noisy", due_in=-600)
    waiting(3, slug="quiet", due_in=-1)
    assert by_tenant(claimed(QUEUE, 500)) == {tenant("noisy"): 497, tenant("quiet"): 3}, (
        "what one leaves goes to the other"
    )
    assert by_tenant(claimed(QUEUE, 500)) == {tenant("noisy"): 500}


def test_shares_go_by_weight() -> None:
    for slug in ("acme", "brook", "cedar"):
        waiting(1_000, slug=slug)
    works = claimed(QUEUE, 500, acme=3)
    assert by_tenant(works) == {tenant("acme"): 300, tenant("brook"): 100, tenant("cedar"): 100}


def test_with_more_tenants_than_places_everybody_gets_a_turn() -> None:
    for number in range(12):
        waiting(100, slug=f"tenant{number:02d}")
    served: set[UUID] = set()
    for _ in range(40):
        works = claimed(QUEUE, 4)
        assert len(works) == 4
        served |= {w.tenant_id for w in works}
    assert len(served) == 12


@pytest.mark.parametrize("count", [1, 10, 1_000])
def test_a_claim_is_one_statement(count: int) -> None:
    waiting(count)
    with CaptureQueriesContext(connection) as seen, connection.execute_wrapper(_forbid):
        assert len(work.claim(queue=QUEUE, limit=1_000, lease=LEASE, weights={})) == count
    assert len(seen) == 0  # by the raw cursor, so Django notes none: nothing but the one statement of `fetch`


def _forbid(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
    raise AssertionError(sql)


def test_ordered_work_is_claimed_one_at_a_time_and_others_are_not_delayed() -> None:
    ordered = [notify([SOMEBODY], ordering_key="order-1")[0] for _ in range(3)]
    (other,) = notify([SOMEBODY], ordering_key="order-2")
    (free,) = notify([SOMEBODY])
    first = claimed(QUEUE)
    assert {w.id for w in first} == {ordered[0], other, free}
    assert claimed(QUEUE) == []
    work.remove(first)
    for expected in ordered[1:]:
        (next_one,) = claimed(QUEUE)
        assert next_one.id == expected
        work.remove([next_one])
    assert left() == []


def test_the_same_ordering_key_of_another_person_is_another_order() -> None:
    one, other = notify([SOMEBODY, ids.new()], ordering_key="order-1")
    assert {w.id for w in claimed(QUEUE)} == {one, other}


def test_what_waits_for_a_retry_holds_its_followers_back() -> None:
    first, second = (notify([SOMEBODY], ordering_key="order-1")[0] for _ in range(2))
    (held,) = claimed(QUEUE)
    work.release(lane="transactional", works=[held], delay=timedelta(seconds=60))
    assert (held.id, claimed(QUEUE)) == (first, [])
    work.release(lane="transactional", works=[held])
    make_due()
    (again,) = claimed(QUEUE)
    work.remove([again])
    assert [w.id for w in claimed(QUEUE)] == [second]


@pytest.mark.django_db(transaction=True)
def test_many_claimers_keep_the_order_of_hundreds() -> None:
    people = [SOMEBODY, ids.new()]
    with connection.cursor() as cursor:
        for number, owner in enumerate(people):
            cursor.execute(
                """INSERT INTO ledger_work_item
                    (id, lane, queue, kind, tenant_id, notification_id, ordering_key, order_at, due_at)
                SELECT id, 'transactional', %(queue)s, 'route', %(tenant)s, id, %(key)s, now() + n * interval '1 ms',
                    now() - interval '1 min'
                FROM (SELECT n, uuidv7() AS id FROM generate_series(1, %(count)s) n)""",
                {"queue": QUEUE, "tenant": tenant(), "key": f"{owner}", "count": (400, 20)[number]},
            )
        cursor.execute("ANALYZE ledger_work_item")
    planned = list(WorkItem.objects.all_tenants().order_by("order_at", "id").values_list("ordering_key", "id"))
    handled: list[tuple[str, UUID]] = []

    def drain(_: int) -> None:
        try:
            while WorkItem.objects.all_tenants().exists():
                with transaction.atomic():
                    works = work.claim(queue=QUEUE, limit=50, lease=LEASE, weights={})
                handled.extend((w.ordering_key, w.id) for w in works)
                if works:
                    work.remove(works)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(drain, range(4)))
    for owner in map(str, people):
        assert [id_ for key, id_ in handled if key == owner] == [id_ for key, id_ in planned if key == owner]
    # the short order was not kept waiting by the long one
    assert max(place for place, (key, _) in enumerate(handled) if key == str(people[1])) < 100


@pytest.mark.django_db(transaction=True)
def test_two_claimers_never_get_the_same_item_nor_wait_for_each_other() -> None:
    waiting(100)

    def other() -> list[Work]:
        try:
            return claimed(QUEUE, 60)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        mine = claimed(QUEUE, 60)
        theirs = threads.submit(other).result(timeout=5)
    assert (len(mine), len(theirs)) == (60, 40)
    assert len({w.id for w in mine} | {w.id for w in theirs}) == 100


def test_work_whose_lease_ran_out_comes_back_alone() -> None:
    waiting(3)
    assert len(claimed(QUEUE)) == 3
    lapse_leases()
    assert sorted(x.work.expiries for x in leases.lapse()) == [1, 1, 1]
    assert claimed(QUEUE) == []
    assert [len(work.claim_lone(queue=QUEUE, lease=LEASE)) for _ in range(4)] == [1, 1, 1, 0]


def intent(w: Work) -> Intent:
    return Intent(w, ids.new(), "acc", Rendered({"body": "x"}, "", None, 0, 1))


def test_an_old_lease_token_opens_nothing() -> None:
    """The lease ran out and somebody else has the work: whatever its first owner writes touches nothing."""
    waiting(1, queue="send.transactional.email")
    (old,) = claimed("send.transactional.email")
    lapse_leases()
    leases.lapse()
    (new,) = work.claim_lone(queue="send.transactional.email", lease=LEASE)
    assert (old.id, old.lease_token, new.lease_token) == (new.id, 1, 3)
    before = WorkItem.objects.all_tenants().values().get()
    assert work.release(lane="transactional", works=[old]) == 0
    assert work.remove([old]) == set()
    assert write_intents([intent(old)], lease=LEASE) == set()
    assert settle([Settlement(old, status=DeliveryStatus.SKIPPED)]) == set()
    assert settle([Settlement(old, again_in=timedelta(0), is_burned=True)]) == set()
    assert settle([Settlement(old, status=DeliveryStatus.FAILED, is_dead=True)]) == set()
    assert WorkItem.objects.all_tenants().values().get() == before
    assert write_intents([intent(new)], lease=LEASE) == {new.id}


def test_a_call_in_flight_is_neither_given_back_nor_claimed() -> None:
    waiting(1, queue="send.transactional.email")
    (mine,) = claimed("send.transactional.email")
    write_intents([intent(mine)], lease=LEASE)
    assert work.release(lane="transactional", works=[mine]) == 0
    assert write_intents([intent(mine)], lease=LEASE) == set()
    assert claimed("send.transactional.email") == work.claim_lone(queue="send.transactional.email", lease=LEASE) == []
    assert left() == [("send.transactional.email", work.CALLING)]


def test_due_queues_names_those_with_claimable_work() -> None:
    waiting(1, queue="send.critical.sms")
    waiting(1, queue="send.marketing.push", due_in=60)
    waiting(1, queue="route.social")
    claimed("route.social")
    assert work.due_queues(settings.WORK_QUEUES) == ["send.critical.sms"]
    assert work.due_queues([]) == []
