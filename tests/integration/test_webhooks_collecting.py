"""Nothing that happens is missed, whoever writes it and however late it commits, and nothing is kept for those who do not listen."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.core.enums import KeyMode, Scope
from apps.ledger.models import Change, Listener
from apps.ledger.telling import take_changes
from apps.receipts import services as receipts
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import create_api_key
from apps.webhooks import collecting
from apps.webhooks.catalogue import WebhookType
from apps.webhooks.collecting import collect
from apps.webhooks.models import WebhookCall, WebhookEvent
from apps.webhooks.services import delete_endpoint, update_endpoint
from tests.integration import receipts_cast
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import become, deliveries, endpoint, happened, notification, open_calls

pytestmark = pytest.mark.django_db
PLACE = "https://93.184.215.14/hooks"


def said() -> Counter[tuple[str, str | None]]:
    """(type, status) of what is to be told."""
    bodies = [json.loads(body) for body in WebhookEvent.objects.all_tenants().values_list("body", flat=True)]
    return Counter((body["type"], body["data"]["status"]) for body in bodies)


def in_thread(work: Any) -> Any:
    """With a connection of its own, closed."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def test_nothing_is_kept_for_a_tenant_without_an_endpoint() -> None:
    become(deliveries(2), "sent")
    endpoint(PLACE, slug="globex")
    become(deliveries(2), "sent")
    assert (Change.objects.all_tenants().count(), collect(), open_calls()) == (0, 0, 0)


def test_a_statement_costs_one_look_however_many_rows_it_writes() -> None:
    found = deliveries(300)
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) UPDATE ledger_delivery SET status = 'sent' WHERE id = ANY(%s)", [found]
        )
        triggers = cursor.fetchone()[0][0]["Triggers"]
    assert [(one["Trigger Name"], one["Calls"]) for one in triggers] == [("ledger_tell", 1)]


def test_it_keeps_what_changed_and_only_the_kinds_that_somebody_wants() -> None:
    endpoint(PLACE, "message.sent", "message.skipped")
    skipped = deliveries(status="skipped", reason="topic_off")
    sent = deliveries(2)
    become(sent, "sending")
    become(sent, "sent")
    become(sent, "sent")
    become(sent, "delivered")
    happened(skipped[0], "opened")
    assert collect() == 3
    assert said() == {("message.skipped", "skipped"): 1, ("message.sent", "sent"): 2}
    assert open_calls() == 3


def test_every_status_and_event_of_the_catalogue_is_told() -> None:
    endpoint(PLACE, *WebhookType)
    found = deliveries()
    for status in (
        "held",
        "unknown",
        "sent",
        "delivered",
        "bounced",
        "failed",
        "expired",
        "cancelled",
        "merged",
        "skipped",
    ):
        become(found, status)
    for kind in ("opened", "clicked", "opted_out", "complained", "seen"):
        happened(found[0], kind)
    collect()
    assert {kind for kind, _ in said()} == set(WebhookType)


def test_a_kind_that_this_version_does_not_know_is_in_nobodys_way() -> None:
    endpoint(PLACE, "message.sent")
    Listener.objects.all_tenants().update(kinds=["status.sent", "event.seen"])
    found = deliveries()
    happened(found[0], "seen")
    become(found, "sent")
    assert (collect(), said()) == (2, {("message.sent", "sent"): 1})


def test_two_endpoints_get_the_same_event_and_each_only_what_it_asked_for() -> None:
    first, _ = endpoint(PLACE, "message.sent", "message.delivered")
    second, _ = endpoint(PLACE, "message.delivered")
    found = deliveries()
    become(found, "sent")
    become(found, "delivered")
    collect()
    calls = WebhookCall.objects.all_tenants().values_list("endpoint_id", "event_id")
    assert Counter(endpoint_id for endpoint_id, _ in calls) == {first: 2, second: 1}
    assert len({event_id for _, event_id in calls}) == 2


def test_what_receipts_say_is_told() -> None:
    bea = receipts_cast.sent()
    endpoint(PLACE)
    endpoint(PLACE, "recipient.unsubscribed", "recipient.complained")
    receipts_cast.call(receipts_cast.event(bea, "bounced"), receipts_cast.event(bea, "opted_out"))
    receipts_cast.call(receipts_cast.event(bea, "complained"))
    assert receipts.apply_due(ends=monotonic() + 10)
    collect()
    assert said() == {
        ("message.bounced", "bounced"): 1,
        ("recipient.unsubscribed", None): 1,
        ("recipient.complained", None): 1,
    }


def test_acceptance_is_told_to_those_only_who_asked_for_it(client: Client) -> None:
    owner = tenant_by_id(tenant())
    assert owner is not None
    key = create_api_key(tenant=owner, name="k", mode=KeyMode.TEST, scopes=[Scope.NOTIFICATIONS_WRITE])
    notification("rosa")
    body = {"user_id": "rosa", "category": "transactional", "message": {"title": "Hi", "body": "x"}}

    def accept() -> str:
        answer = client.post(
            "/v1/notifications", body, "application/json", headers={"Authorization": f"Bearer {key.token}"}
        )
        assert answer.status_code == 202, answer.content
        return str(answer.json()["notification_id"])

    endpoint(PLACE)
    accept()
    endpoint(PLACE, "notification.accepted")
    accepted = accept()
    collect()
    (event,) = WebhookEvent.objects.all_tenants()
    data = json.loads(event.body)["data"]
    assert (event.kind, data["notification_id"], data["user_id"]) == ("notification.accepted", accepted, "rosa")


def test_it_listens_to_what_all_endpoints_of_a_tenant_want_together() -> None:
    def kinds() -> list[str]:
        return [kind for row in Listener.objects.all_tenants() for kind in row.kinds]

    first, _ = endpoint(PLACE, "message.sent")
    second, _ = endpoint(PLACE, "message.bounced")
    assert kinds() == ["status.bounced", "status.sent"]
    update_endpoint(tenant_id=tenant(), endpoint_id=second, events=["message.opened"], is_on=False)
    assert kinds() == ["event.opened", "status.sent"]
    delete_endpoint(tenant_id=tenant(), endpoint_id=first)
    assert kinds() == ["event.opened"]
    delete_endpoint(tenant_id=tenant(), endpoint_id=second)
    assert not Listener.objects.all_tenants().exists()


def test_what_happens_while_an_endpoint_is_off_is_kept_but_not_told() -> None:
    made, _ = endpoint(PLACE, "message.sent")
    update_endpoint(tenant_id=tenant(), endpoint_id=made, is_on=False)
    become(deliveries(), "sent")
    assert (collect(), open_calls(), WebhookEvent.objects.all_tenants().count()) == (1, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_commits_late_is_told_late_but_told() -> None:
    endpoint(PLACE, "message.sent")
    slow, quick, undone = deliveries(), deliveries(), deliveries()
    written, commit = Event(), Event()

    def late() -> None:
        with transaction.atomic():
            become(slow, "sent")
            written.set()
            assert commit.wait(10)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(late)
        assert written.wait(10)
        become(quick, "sent")
        with transaction.atomic():
            become(undone, "sent")
            transaction.set_rollback(True)
        assert collect() == 1
        seen = set(WebhookEvent.objects.all_tenants().values_list("id", flat=True))
        commit.set()
        waiting.result()
    assert collect() == 1
    (event,) = WebhookEvent.objects.all_tenants().exclude(id__in=seen)
    # its id is older than that of what was told before: a cursor over ids would have passed it by
    assert event.id < min(seen)
    assert (open_calls(), collect()) == (2, 0)


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_collectors_miss_nothing_and_double_nothing() -> None:
    endpoint(PLACE, "message.sent", "message.bounced")
    groups = [deliveries(5) for _ in range(30)]
    stop = Event()

    def write(number: int) -> int:
        random = Random(number)
        is_kept = number % 5 != 0
        with transaction.atomic():
            become(groups[number], "sent")
            sleep(random.random() / 20)
            become(groups[number], "bounced")
            transaction.set_rollback(not is_kept)
        connection.close()
        return 10 if is_kept else 0

    def gather() -> None:
        while not stop.is_set():
            collect()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        gathering = [pool.submit(gather) for _ in range(2)]
        expected = sum(pool.map(write, range(len(groups))))
        stop.set()
        for one in gathering:
            one.result()
    collect()
    told: Counter[tuple[UUID, str]] = Counter()
    for body in WebhookEvent.objects.all_tenants().values_list("body", flat=True):
        data = json.loads(body)["data"]
        told[data["message_id"], data["status"]] += 1
    assert expected == 240
    assert (len(told), set(told.values()), open_calls()) == (expected, {1}, expected)
    assert Change.objects.all_tenants().count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_collector_that_dies_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint(PLACE, "message.sent")
    become(deliveries(3), "sent")
    before = set(Change.objects.all_tenants().values_list("id", flat=True))

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(collecting, "execute", dies)
        collect()
    assert set(Change.objects.all_tenants().values_list("id", flat=True)) == before
    assert not WebhookEvent.objects.all_tenants().exists()
    assert in_thread(collect) == 3
    assert set(WebhookEvent.objects.all_tenants().values_list("id", flat=True)) == before


@pytest.mark.django_db(transaction=True)
def test_two_collectors_take_different_changes() -> None:
    endpoint(PLACE, "message.sent")
    become(deliveries(4), "sent")
    with transaction.atomic():
        assert len(take_changes(2)) == 2
        assert in_thread(collect) == 2
        transaction.set_rollback(True)
    assert (collect(), open_calls()) == (2, 4)


def test_no_more_are_taken_than_asked_for_whatever_the_plan() -> None:
    """Where PostgreSQL goes through a subselect again for each row, it takes others each time."""
    endpoint(PLACE, "message.sent")
    become(deliveries(4), "sent")
    connection.cursor().execute(
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_hashagg = off;"
        "SET LOCAL enable_sort = off; SET LOCAL enable_material = off; SET LOCAL enable_indexscan = off;"
        "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off"
    )
    assert [len(take_changes(most)) for most in (1, 2, 2)] == [1, 2, 1]
