"""Who is called next, how many at a time, what becomes of calls whose worker died, and what is forgotten."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audience.forgetting import run_callbacks
from apps.core import clock, ids
from apps.webhooks import calling, sending
from apps.webhooks.claiming import claim
from apps.webhooks.collecting import collect
from apps.webhooks.keeping import forget_old
from apps.webhooks.models import WebhookEvent
from apps.webhooks.pacing import AT_ONCE_OTHER, AT_ONCE_PROVEN
from apps.webhooks.recording import record
from tests.contract.scripted import answer
from tests.integration.bundles_cast import statements
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import (
    become,
    deliveries,
    endpoint,
    happened,
    open_calls,
    receiver,
    send_due,
    told,
    waits,
)

pytestmark = pytest.mark.django_db


def test_a_bug_of_ours_counts_as_a_failed_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "call", lambda job: 1 / 0)
    with receiver() as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        collect()
        (job,) = claim(proven=1, others=1)
        found = sending.Sender()
        monkeypatch.setattr(found, "_write", lambda: None)
        found._under_way[False] = 1
        found._call(job)
    (result,) = found._results
    assert (result.error, server.requests) == ("internal_error", [])


def test_each_endpoint_gets_a_few_calls_at_a_time_and_more_when_it_is_quick() -> None:
    with receiver() as server:
        made, _ = endpoint(server.url, "message.sent")
        other, _ = endpoint(f"{server.url}/other", "message.sent", slug="globex")
        become(deliveries(30), "sent")
        become(deliveries(2, slug="globex"), "sent")
        collect()
        jobs = claim(proven=100, others=100)
        assert sorted(job.endpoint_id for job in jobs) == sorted([made, other])
        assert claim(proven=100, others=100) == []
        record([calling.Result(job, 0.1, 200) for job in jobs])
        assert len([job for job in claim(proven=100, others=0) if job.endpoint_id == made]) == AT_ONCE_PROVEN
        assert claim(proven=100, others=100) == []
    assert AT_ONCE_OTHER == 1


def test_those_that_have_not_proved_quick_never_take_a_slot_of_those_that_have() -> None:
    with receiver() as server:
        quick, _ = endpoint(server.url, "message.sent")
        for number in range(5):
            endpoint(f"{server.url}/{number}", "message.sent", slug="globex")
        become(deliveries(), "sent")
        send_due()
        become(deliveries(slug="globex"), "sent")
        become(deliveries(), "sent")
        collect()
        assert [job.endpoint_id for job in claim(proven=1, others=0)] == [quick]
        assert len(claim(proven=0, others=3)) == 3


def test_a_call_whose_worker_died_is_made_again_and_a_late_answer_counts() -> None:
    with receiver() as server:
        endpoint(server.url, "message.sent")
        become(deliveries(), "sent")
        collect()
        (dead,) = claim(proven=1, others=1)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE webhooks_webhookcall SET lease_until = statement_timestamp() - interval '1 second'")
        (again,) = claim(proven=1, others=1)
        assert (again.id, again.token) == (dead.id, dead.token + 1)
        record([calling.Result(dead, 1.0, 500)])
        assert open_calls() == 1
        assert [round(wait) for wait in waits()] == [0]
        record([calling.Result(dead, 1.0, 200)])
    assert open_calls() == 0


@pytest.mark.parametrize("count", [1, 10, 200])
def test_collecting_takes_a_fixed_number_of_statements(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        endpoint(server.url, "message.sent")
        become(deliveries(count), "sent")
        with CaptureQueriesContext(connection) as queries, statements(monkeypatch) as by_hand:
            assert collect() == count
    assert [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]] == []
    assert len(by_hand) == 4, by_hand
    assert open_calls() == count


def test_machines_do_not_open_mails() -> None:
    with receiver() as server:
        endpoint(server.url)
        (delivery,) = deliveries()
        happened(delivery, "opened", code="machine")
        happened(delivery, "opened")
        happened(delivery, "archived")
        send_due()
    assert [told(seen)["type"] for seen in server.requests] == ["message.opened"]
    assert told(server.requests[0])["data"]["status"] is None


def test_what_is_old_is_forgotten_and_a_person_at_once() -> None:
    with receiver(answer(500)) as server:
        endpoint(server.url, "message.sent")
        become(deliveries(2), "sent")
        send_due()
        first = WebhookEvent.objects.all_tenants().order_by("id").first()
        run_callbacks(tenant(), ids.new())
        assert open_calls() == 2
        assert forget_old(clock.now() + timedelta(days=29)) == 0
        assert forget_old(clock.now() + timedelta(days=31)) == 6
        become(deliveries(), "sent")
        send_due()
        run_callbacks(tenant(), first.recipient_id)
    assert (open_calls(), WebhookEvent.objects.all_tenants().count()) == (0, 0)
