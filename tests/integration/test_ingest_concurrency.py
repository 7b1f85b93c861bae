"""Requests at the same time, bells after the commit, a database that is away: what was answered 202 is stored, once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from apps.core import clock
from apps.core.enums import Scope
from apps.dispatch import bells
from apps.dispatch.ringer import ringer
from apps.dispatch.route_batch import route_batch
from apps.ledger import work
from apps.ledger.models import Delivery, DeliveryEvent, SeenKey, WorkItem
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import BATCH, NOTHING, ROSA, SEND, Caller, Written, refused, written

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    cast.clear()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The queues of each call."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(ringer, "ask", lambda *queues: found.append(queues))
    return found


def test_it_rings_for_what_is_due_and_only_after_the_commit(rung: list[tuple[str, ...]]) -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    due = (clock.now() + timedelta(hours=1)).isoformat()
    bea = {"recipient": {"user_id": "bea"}, "category": "critical", "message": {"body": "Hello"}}
    caller.post(BATCH, {"notifications": [ROSA, ROSA, ROSA | {"schedule_at": due, "category": "marketing"}, bea]})
    assert rung == [("route.critical", "route.social")]
    rung.clear()
    caller.send("k-1", schedule_at=due)
    caller.post(SEND, bea, key="k-2")
    caller.post(SEND, bea, key="k-2")
    assert rung == [(), ("route.critical",)]


def test_it_rings_for_those_who_have_little_as_long_as_it_is_little(
    rung: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringer, "ask_on", lambda *queues: rung.append(("many", *queues)))
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE)
    caller.post(BATCH, {"notifications": [ROSA] * 10})
    caller.post(BATCH, {"notifications": [ROSA] * 11}, key="k-2")
    assert rung == [("route.social",), ("many", "route.social")]


def test_a_bell_that_cannot_ring_takes_no_202_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*queues: str) -> None:
        raise RuntimeError("no broker")

    monkeypatch.setattr(ringer, "ask", broken)
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    assert caller.send().status_code == 202
    bea = {"recipient": {"user_id": "bea"}, "category": "critical", "message": {"body": "Hello"}}
    assert caller.post(SEND, bea).status_code == 202
    assert written() == Written(2, 2, 2, 1)


@pytest.mark.usefixtures("rung")
def test_fifty_at_once_make_one() -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)

    def send(place: int) -> Any:
        try:
            return caller.post(SEND, ROSA | {"event_id": "e-1"}, key="k-1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in answers) == 1
    assert written() == Written(1, 1, 2, 0)


@pytest.mark.usefixtures("rung")
def test_fifty_keys_for_one_event_make_one() -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)

    def send(place: int) -> Any:
        try:
            return caller.post(SEND, ROSA | {"event_id": "e-1"}, key=f"k-{place}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(send, range(50)))
    assert len({cast.id_of(answer) for answer in answers}) == 1
    assert sum("duplicate" not in answer.json() for answer in answers) == 1
    assert written() == Written(1, 1, 51, 0)


@pytest.mark.usefixtures("rung")
def test_while_the_first_is_running_the_second_is_told_to_come_again() -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    caller.send("k-1")
    held = SeenKey.objects.get()
    cast.clear()
    with psycopg.connect(**_address()) as other:
        other.execute(
            "INSERT INTO ledger_seen_key (key, ref_id, fingerprint, answer, expires_at) VALUES (%s, %s, %s, %s, now() + '1h')",
            [bytes(held.key), held.ref_id, held.fingerprint, held.answer],
        )
        answer = caller.send("k-1")
        assert refused(answer) == (409, "idempotency_in_progress", [])
        assert answer["Retry-After"] == "1"
        assert written() == NOTHING
        other.rollback()
    assert caller.send("k-1").status_code == 202
    assert written() == Written(1, 1, 1, 0)


@pytest.mark.usefixtures("rung")
def test_cancelling_and_routing_at_once_have_one_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "ring", lambda *queues: None)
    caller = Caller(cast.acme())
    shown = [caller.send(channels=["in_app"]).json()["notification_id"] for _ in range(30)]
    claimed = work.claim(queue="route.social", limit=100, lease=timedelta(seconds=30), weights={})

    def cancel(place: int) -> int:
        try:
            return int(caller.delete(f"{SEND}/{shown[place]}").status_code)
        finally:
            connections.close_all()

    def route(place: int) -> None:
        try:
            route_batch([claimed[place]], 0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        pairs = [(pool.submit(cancel, place), pool.submit(route, place)) for place in range(30)]
        for cancelled, routed in pairs:
            routed.result()
            assert cancelled.result() == 200
    assert WorkItem.objects.count() == 0
    assert set(Delivery.objects.values_list("status", flat=True)) <= {"cancelled"}
    statuses = {each["status"] for each in caller.get("/v1/users/rosa/notifications?limit=100").json()["data"]}
    assert statuses == {"cancelled"}
    assert DeliveryEvent.objects.filter(kind="cancelled").count() == 30


@pytest.mark.usefixtures("rung")
@pytest.mark.parametrize("where", [SEND, BATCH])
def test_without_a_database_nothing_is_answered_202(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    caller.send("k-0")  # key and tenant are known to this process
    cast.clear()
    body = ROSA if where == SEND else {"notifications": [ROSA]}
    with monkeypatch.context() as away:
        connection.close()
        away.setitem(connection.settings_dict, "PORT", "1")
        answer = caller.post(where, body, key="k-1")
        assert refused(answer) == (503, "unavailable", [])
        assert answer["Retry-After"] == "2"
        connection.close()
    assert written() == NOTHING
    assert caller.post(where, body, key="k-1").status_code == 202
    assert written() == Written(1, 1, 1, 0)


@pytest.mark.usefixtures("rung")
def test_a_connection_that_dies_in_between_is_no_202_either(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)
    connection.ensure_connection()
    with monkeypatch.context() as patched:
        patched.setattr(connection, "close_if_health_check_failed", lambda: None)
        with psycopg.connect(**_address()) as other:
            found = other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
            assert found.fetchone() == (True,)
        assert refused(caller.send("k-1")) == (503, "unavailable", [])
    connection.close()
    assert written() == NOTHING
    assert caller.send("k-1").status_code == 202


def _address() -> dict[str, Any]:
    named = connection.get_connection_params()
    return {name: value for name, value in named.items() if name in {"dbname", "user", "password", "host", "port"}}
