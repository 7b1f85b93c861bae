"""Intent before the call, settlement after it: what dies, comes late or has no time left sends nothing twice and loses nothing."""

import logging
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction

from apps.core.enums import Category, Channel
from apps.dispatch import in_app, recording
from apps.dispatch import send_batch as module
from apps.dispatch.rescue import rescue
from apps.inbox.models import InboxItem
from apps.ledger import work
from apps.ledger.models import Attempt, WorkItem
from tests.integration.dispatch_cast import (
    LEASE,
    Carrier,
    attempts,
    claimed,
    committed,
    dead,
    delivery,
    lapse_leases,
    left,
    notify,
    people,
    person,
    route,
    send,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import quiet as quiet
from tests.integration.doubts_cast import routed

pytestmark = pytest.mark.django_db
ACCOUNT = "sandbox-email"
EMAIL = "send.transactional.email"


@pytest.mark.django_db(transaction=True)
def test_the_intent_is_committed_before_the_call_and_no_transaction_is_open_during_it(carrier: Carrier) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    seen: list[Any] = []

    def look(messages: Any) -> None:
        seen.append(connection.in_atomic_block)
        seen.append(committed("SELECT phase, calls, attempt_id IS NOT NULL FROM ledger_work_item"))
        seen.append(committed("SELECT delivery_id, number, account, kind, ended_at FROM ledger_attempt"))
        seen.append(committed("SELECT status FROM ledger_delivery"))
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%%'"
        seen.append(committed(idle))

    carrier.during = look
    send()
    assert seen == [False, [(work.CALLING, 1, True)], [(id_, 1, ACCOUNT, "", None)], [("queued",)], [(0,)]]
    assert committed("SELECT status FROM ledger_delivery") == [("sent",)]
    assert committed("SELECT count(*) FROM ledger_work_item") == [(0,)]


def test_what_does_not_fit_into_the_time_is_given_back_unharmed(carrier: Carrier) -> None:
    notify(people(5))
    route()
    assert send(seconds=-1) == 5
    assert carrier.calls == []
    assert left() == [(EMAIL, work.READY)] * 5
    assert set(WorkItem.objects.all_tenants().values_list("expiries", "tries", "calls", "lease_until")) == {
        (0, 0, 0, None)
    }
    send()
    assert states() == [("email", "sent", "")] * 5


def test_a_bug_in_a_provider_leaves_the_message_in_doubt(carrier: Carrier, caplog: pytest.LogCaptureFixture) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    carrier.says = [KeyError("boom")]
    send()
    assert (state(id_), left(), dead()) == (("unknown", "in_doubt"), [], [])
    assert attempts() == [(1, ACCOUNT, "ambiguous", "provider_bug")]
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["provider failed"]


def test_an_answer_after_the_lease_was_lost_still_counts(carrier: Carrier) -> None:
    """The rescuer took the worker for dead; the answer it got after all lifts the doubt, on delivery and attempt."""
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)

    def late(_: Any) -> None:
        lapse_leases()
        assert rescue() == 1
        assert (state(id_), attempts(), left()) == (
            ("unknown", "in_doubt"),
            [(1, ACCOUNT, "ambiguous", "worker_lost")],
            [],
        )

    carrier.during = late
    send()
    assert (state(id_), left(), dead()) == (("sent", ""), [], [])
    assert attempts() == [(1, ACCOUNT, "accepted", "")]
    assert Attempt.objects.all_tenants().get().provider_message_id == "m1"
    assert delivery().ended_at is None


def test_a_call_whose_lease_is_gone_is_not_made(carrier: Carrier) -> None:
    routed(Category.TRANSACTIONAL, Channel.EMAIL)
    zombie = claimed(EMAIL)
    lapse_leases()
    rescue()
    module.send_batch(zombie, float("inf"))
    assert (carrier.calls, attempts(), states()) == ([], [], [("email", "queued", "")])
    module.send_batch(work.claim_lone(queue=EMAIL, lease=LEASE), float("inf"))
    assert (len(carrier.calls), states()) == (1, [("email", "sent", "")])


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.django_db(transaction=True)
def test_recording_is_tried_again_while_the_database_is_away(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    id_ = routed(Category.TRANSACTIONAL, Channel.EMAIL)
    real, failures = recording.settle, [error, error]

    def flaky(results: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(results)

    monkeypatch.setattr(recording, "settle", flaky)
    send()
    assert (state(id_), len(carrier.calls), attempts(), left()) == (("sent", ""), 1, [(1, ACCOUNT, "accepted", "")], [])


def test_in_app_is_delivered_in_one_transaction(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    rosa = person()
    poked: list[Any] = []
    monkeypatch.setattr(in_app.inbox, "poke", poked.append)
    notify([rosa], channels=[Channel.IN_APP])
    route()
    with monkeypatch.context() as patch:

        def killed(items: Any) -> None:
            raise SystemExit

        patch.setattr(in_app.inbox, "add_items", killed)
        with pytest.raises(SystemExit), transaction.atomic():
            send("send.transactional.in_app")
    assert (states(), attempts(), InboxItem.objects.of(tenant()).count()) == ([("in_app", "queued", "")], [], 0)
    assert (left(), poked) == ([("send.transactional.in_app", work.READY)], [])
    send("send.transactional.in_app")
    assert (states(), attempts(), left()) == ([("in_app", "delivered", "")], [(1, "inbox", "accepted", "")], [])
    assert (InboxItem.objects.of(tenant()).get().id, poked) == (delivery().id, [{rosa}])
