"""Settling a batch: what many have in common is written once, what one has stays its own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from apps.core import ids
from apps.core.enums import DeliveryStatus, OutcomeKind, Reason
from apps.core.rows import recordset
from apps.core.types import Outcome, Rendered, Work
from apps.ledger import sending_results
from apps.ledger.models import Attempt, DeadLetter, Delivery, WorkItem
from apps.ledger.sending_results import Intent, Settlement, settle, write_intents
from apps.ledger.work import release
from tests.integration.dispatch_cast import LEASE, claimed, left, notify, people, route
from tests.integration.dispatch_cast import rung as rung  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]
EMAIL = "send.transactional.email"
OK = {"status": 202, "ms": 7, "code": ""}
LATE = {"status": 202, "ms": 900, "code": ""}
BAD = {"status": 400, "ms": 7, "code": "bad"}
DEAD = {"status": DeliveryStatus.FAILED, "reason": Reason.REJECTED, "is_dead": True}


def said(reference: str, exchange: Mapping[str, Any]) -> Outcome:
    return Outcome(OutcomeKind.ACCEPTED, provider_message_id=reference, exchange=exchange)


def refused(detail: str) -> Outcome:
    return Outcome(OutcomeKind.REJECTED, "bad", detail, exchange=BAD)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each set had."""
    counts: list[int] = []

    def counting(rows: Iterable[Mapping[str, Any]]) -> str:
        found = list(rows)
        counts.append(len(found))
        return recordset(found)

    monkeypatch.setattr(sending_results, "recordset", counting)
    return counts


def shuffled(works: Sequence[Work]) -> list[Work]:
    """In an order that is not that of their ids."""
    found = sorted(works, key=lambda work: work.id)
    return found[1::2] + found[::2][::-1]


def test_each_gets_what_was_said_of_it(written: list[int]) -> None:
    notify(people(7))
    route()
    works = shuffled(claimed(EMAIL))
    sizes = [100, 100, 300, 100, 100, 100, 100]
    locales = ["", "", "de", "", "", "", ""]
    intents = [
        Intent(w, ids.new(), "acc", Rendered({}, locale, None, 0, size))
        for w, size, locale in zip(works, sizes, locales, strict=True)
    ]
    assert write_intents(intents, lease=LEASE) == {w.id for w in works}
    assert written == [2]

    passing = Outcome(OutcomeKind.TRANSIENT, "later", exchange=OK)
    ends: list[tuple[Outcome, dict[str, Any]]] = [
        (said("m0", OK), {"status": DeliveryStatus.SENT}),
        (said("m1", OK), {"status": DeliveryStatus.SENT}),
        (said("m2", LATE), {"status": DeliveryStatus.SENT}),
        (refused("one"), {**DEAD, "context": {"detail": "one"}}),
        (refused("two"), {**DEAD, "context": {"detail": "two"}}),
        (passing, {"again_in": timedelta(seconds=60), "is_burned": True}),
        (passing, {"again_in": timedelta(seconds=60), "is_burned": True}),
    ]
    written.clear()
    settled = [
        Settlement(i.work, attempt_id=i.attempt_id, outcome=outcome, account="acc", **more)
        for i, (outcome, more) in zip(intents, ends, strict=True)
    ]
    assert settle(settled) == {w.id for w in works}
    assert written == [5]

    columns = ("size", "locale", "kind", "code", "detail", "provider_message_id", "exchange")
    assert [Attempt.objects.all_tenants().values_list(*columns).get(id=i.attempt_id) for i in intents] == [
        (100, "", "accepted", "", "", "m0", OK),
        (100, "", "accepted", "", "", "m1", OK),
        (300, "de", "accepted", "", "", "m2", LATE),
        (100, "", "rejected", "bad", "one", "", BAD),
        (100, "", "rejected", "bad", "two", "", BAD),
        (100, "", "transient", "later", "", "", OK),
        (100, "", "transient", "later", "", "", OK),
    ]
    deliveries = Delivery.objects.all_tenants()
    assert [deliveries.values_list("status", "provider_message_id").get(id=w.id) for w in works] == [
        ("sent", "m0"), ("sent", "m1"), ("sent", "m2"), ("failed", ""), ("failed", ""), ("queued", ""), ("queued", ""),
    ]  # fmt: skip
    dead = dict(DeadLetter.objects.all_tenants().values_list("delivery_id", "context"))
    assert dead == {works[3].id: {"detail": "one"}, works[4].id: {"detail": "two"}}
    assert left() == [(EMAIL, 0), (EMAIL, 0)]
    assert set(WorkItem.objects.all_tenants().values_list("id", "tries")) == {(works[5].id, 1), (works[6].id, 1)}


def test_each_token_is_compared_with_its_own_item() -> None:
    notify(people(6))
    route()
    first = shuffled(claimed(EMAIL))
    release(lane="transactional", works=first[:3])
    works = {work.id: work for work in claimed(EMAIL)}
    assert {id_: work.lease_token for id_, work in works.items()} == {work.id: 2 for work in first[:3]}

    ours = [works[work.id] for work in first[:2]] + first[4:]
    lost = [first[2], structs.replace(first[3], lease_token=2)]
    given = [work for pair in zip(lost + ours[:1], ours[1:], strict=True) for work in pair]
    intents = [Intent(w, ids.new(), "acc", Rendered({}, "", None, 0, 1)) for w in given]
    assert write_intents(intents, lease=LEASE) == {w.id for w in ours}
    told = [Settlement(w, status=DeliveryStatus.SKIPPED, reason=Reason.MUTED) for w in given]
    assert settle(told) == {w.id for w in ours}
    assert set(WorkItem.objects.all_tenants().values_list("id", flat=True)) == {w.id for w in lost}


def test_what_is_told_of_one_alone_is_not_told_of_its_neighbours() -> None:
    notify(people(4))
    route()
    works = shuffled(claimed(EMAIL))
    skipped = {"status": DeliveryStatus.SKIPPED, "reason": Reason.MUTED}
    failed = {"status": DeliveryStatus.FAILED, "reason": Reason.INTERNAL_ERROR, "is_dead": True}
    told: list[dict[str, Any]] = [
        skipped | {"because": {"topic": "*"}},
        skipped | {"because": {"topic": "category:transactional"}},
        failed | {"context": {"error": "KeyError"}},
        failed | {"context": {"error": "ValueError"}},
    ]
    assert settle([Settlement(w, **one) for w, one in zip(works, told, strict=True)]) == {w.id for w in works}

    reasons = Delivery.objects.all_tenants().in_bulk([w.id for w in works])
    assert [reasons[w.id].because for w in works] == [{"topic": "*"}, {"topic": "category:transactional"}, None, None]
    letters = dict(DeadLetter.objects.all_tenants().values_list("delivery_id", "context"))
    assert letters == {works[2].id: {"error": "KeyError"}, works[3].id: {"error": "ValueError"}}
