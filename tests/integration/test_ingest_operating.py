"""Taking back, trying again, giving up: each once, by whom, and with the work that follows."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.core import clock, ids
from apps.core.enums import Category, Scope
from apps.core.types import Critical
from apps.dispatch import bells
from apps.dispatch.route_batch import route_batch
from apps.events.services import put_event_type
from apps.ledger import work
from apps.ledger.models import Attempt, DeadLetter, Delivery, DeliveryEvent, Notification, WorkItem
from apps.ledger.selectors import notifications as facts
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import SEND, Caller, refused

pytestmark = pytest.mark.django_db
LEASE = timedelta(seconds=30)


@pytest.fixture
def caller() -> Caller:
    return Caller(cast.acme())


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues that were rung."""
    found: list[str] = []
    monkeypatch.setattr(bells, "ring", lambda *queues: found.extend(queues))
    return found


def door(id_: UUID, rest: str = "") -> str:
    return f"{SEND}/{ids.show(ids.NOTIFICATION, id_)}{rest}"


def events(id_: UUID) -> list[tuple[str, UUID | None, str]]:
    return list(
        DeliveryEvent.objects.filter(notification_id=id_).order_by("id").values_list("kind", "delivery_id", "source")
    )


def delivery(caller: Caller, notification: UUID, status: str = "queued", *, phase: int | None = 0, **more: Any) -> UUID:
    """A delivery by SMS as routing leaves it; `phase`: of its work, None for none."""
    row = Notification.objects.get(id=notification)
    id_ = ids.derived(notification, str(more.get("channel", "sms")), len(more))
    WorkItem.objects.filter(id=notification).delete()
    defaults: dict[str, Any] = {"channel": "sms", "reason": "", "account": "", "ended_at": None} | more
    Delivery.objects.bulk_create([
        Delivery(
            id=id_, notification_id=notification, tenant_id=caller.tenant.id, recipient_id=row.recipient_id, category="social",
            mode="test", status=status, bypassed="", provider_message_id="", created_at=clock.now(), **defaults,
        )
    ])  # fmt: skip
    if phase is not None:
        WorkItem.objects.create(
            id=id_, lane="social", queue="send.social.sms", kind="send", channel="sms", tenant_id=caller.tenant.id,
            notification_id=notification, priority=1, due_at=clock.now(), phase=phase, lease_token=1, expiries=0, tries=0,
            calls=0, ordering_key="", order_at=clock.now(),
        )  # fmt: skip
    return id_


def letter(caller: Caller, notification: UUID, delivery_id: UUID | None = None, reason: str = "rejected") -> DeadLetter:
    made: DeadLetter = DeadLetter.objects.create(
        tenant_id=caller.tenant.id,
        notification_id=notification,
        delivery_id=delivery_id,
        queue="send.social.sms" if delivery_id else "route.social",
        reason=reason,
        context={"code": "30007"},
    )
    return made


def test_what_is_scheduled_can_be_cancelled_once(caller: Caller) -> None:
    id_ = cast.id_of(caller.send(schedule_at=(clock.now() + timedelta(hours=1)).isoformat()))
    answer = caller.delete(door(id_))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert not WorkItem.objects.exists()
    assert events(id_) == [("cancelled", None, "key shop")]
    assert refused(caller.delete(door(id_))) == (409, "already_final", [])
    assert events(id_) == [("cancelled", None, "key shop")]
    assert [e["kind"] for e in caller.get(door(id_, "/timeline")).json()["entries"]][-1] == "cancelled"


def test_cancelling_takes_back_waiting_channels_and_leaves_those_being_sent(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    waiting, held = delivery(caller, id_), delivery(caller, id_, "held", phase=1, reason="topic_off")
    calling = delivery(caller, id_, phase=2, channel="email", account="sandbox-email")
    body = caller.delete(door(id_)).json()
    statuses = {row.id: (row.status, row.reason) for row in Delivery.objects.filter(notification_id=id_)}
    assert statuses == {
        waiting: ("cancelled", "cancelled"),
        held: ("cancelled", "cancelled"),
        calling: ("queued", ""),
    }
    assert list(WorkItem.objects.values_list("id", flat=True)) == [calling]
    assert body["status"] == "sending"
    assert {(kind, found) for kind, found, _ in events(id_)} == {("cancelled", waiting), ("cancelled", held)}
    assert refused(caller.delete(door(id_))) == (409, "already_final", [])


@pytest.mark.parametrize("status", ["sent", "delivered", "skipped", "failed", "bounced", "expired", "unknown"])
def test_what_is_over_cannot_be_cancelled(caller: Caller, status: str) -> None:
    id_ = cast.id_of(caller.send())
    done = delivery(caller, id_, status, phase=None)
    assert refused(caller.delete(door(id_))) == (409, "already_final", [])
    assert Delivery.objects.get(id=done).status == status
    assert events(id_) == []


def test_a_worker_that_claimed_before_the_cancellation_routes_nothing(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    claimed = work.claim(queue="route.social", limit=10, lease=LEASE, weights={})
    assert [each.id for each in claimed] == [id_]
    assert caller.delete(door(id_)).json()["status"] == "cancelled"
    route_batch(claimed, 0)
    assert not Delivery.objects.exists()
    assert not WorkItem.objects.exists()
    assert caller.get(door(id_)).json()["status"] == "cancelled"


def test_cancelling_erases_what_is_sensitive(caller: Caller) -> None:
    cast.with_content(caller.tenant)
    put_event_type(
        tenant=caller.tenant, key="login", name="Login", category=Category.CRITICAL, template_key="order_shipped_v3",
        critical=Critical("Codes", "key a", "key b"),
        sensitive_keys=["code"],
    )  # fmt: skip
    due = (clock.now() + timedelta(hours=1)).isoformat()
    body = {"user_id": "rosa", "event_type": "login", "data": {"code": "4711", "app": "web"}, "schedule_at": due}
    id_ = cast.id_of(caller.post(SEND, body))
    assert caller.delete(door(id_)).status_code == 200
    assert facts([id_])[id_].data == {"code": "[erased]", "app": "web"}


def test_a_failed_channel_is_tried_again(caller: Caller, rung: list[str]) -> None:
    id_ = cast.id_of(caller.send(priority="high", ordering_key="chat-1"))
    failed = delivery(caller, id_, "failed", phase=None, reason="retries_exhausted", ended_at=clock.now())
    done = delivery(caller, id_, "delivered", phase=None, channel="email")
    doubt = delivery(caller, id_, "unknown", phase=None, channel="push", reason="in_doubt")
    dead = letter(caller, id_, failed)
    answer = caller.post(door(id_, "/retry"), {})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    rows = {row.id: (row.status, row.reason, row.ended_at) for row in Delivery.objects.filter(notification_id=id_)}
    assert rows == {failed: ("queued", "", None), done: ("delivered", "", None), doubt: ("unknown", "in_doubt", None)}
    item = WorkItem.objects.get()
    assert (item.id, item.queue, item.kind, item.phase) == (failed, "send.social.sms", "send", 0)
    assert rung == ["send.social.sms"]
    assert (item.priority, item.ordering_key, item.tries, item.calls) == (
        0,
        f"{Notification.objects.get().recipient_id}/chat-1",
        0,
        0,
    )
    assert events(id_) == [("retried", failed, "key shop")]
    dead.refresh_from_db()
    assert (dead.resolution, dead.resolved_by) == ("replayed", "key shop")
    assert refused(caller.post(door(id_, "/retry"), {})) == (409, "not_retryable", [])
    assert WorkItem.objects.count() == 1


def test_what_is_in_doubt_is_sent_again_only_when_a_duplicate_is_accepted(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    doubt = delivery(caller, id_, "unknown", phase=None, reason="in_doubt")
    assert refused(caller.post(door(id_, "/retry"), {})) == (409, "not_retryable", [])
    assert not WorkItem.objects.exists()
    assert caller.post(door(id_, "/retry"), {"may_duplicate": True}).status_code == 202
    assert WorkItem.objects.get().id == doubt


@pytest.mark.parametrize("status", ["queued", "held", "sent", "delivered", "skipped", "cancelled"])
def test_what_did_not_fail_cannot_be_retried(caller: Caller, status: str) -> None:
    id_ = cast.id_of(caller.send())
    delivery(caller, id_, status, phase=None)
    assert refused(caller.post(door(id_, "/retry"), {"may_duplicate": True})) == (409, "not_retryable", [])
    assert events(id_) == []
    assert not WorkItem.objects.exists()


def test_a_retry_without_a_body_will_do(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    delivery(caller, id_, "failed", phase=None, reason="rejected")
    assert caller.post(door(id_, "/retry"), b"").status_code == 202


def test_a_worker_of_the_earlier_try_cannot_touch_the_new_one(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    delivery(caller, id_, "failed", phase=None, reason="rejected")
    caller.post(door(id_, "/retry"), {})
    assert WorkItem.objects.get().lease_token > 1000


def test_dead_letters_are_listed_newest_first(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    failed = delivery(caller, id_, "failed", phase=None, reason="rejected")
    first, second = letter(caller, id_, failed), letter(caller, id_, None, "poisoned")
    page = caller.get("/v1/dead-letters?limit=1").json()
    assert (page["has_more"], len(page["data"])) == (True, 1)
    assert page["data"][0] == {
        "dead_letter_id": ids.show(ids.DEAD_LETTER, second.id),
        "notification_id": ids.show(ids.NOTIFICATION, id_),
        "delivery_id": None,
        "queue": "route.social",
        "reason": "poisoned",
        "reason_text": "Workers died on it three times, so it was set aside.",
        "context": {"code": "30007"},
        "created_at": second.created_at.isoformat().replace("+00:00", "Z"),
    }
    page = caller.get(f"/v1/dead-letters?limit=1&cursor={page['next_cursor']}").json()
    assert [each["dead_letter_id"] for each in page["data"]] == [ids.show(ids.DEAD_LETTER, first.id)]
    assert (page["has_more"], page["next_cursor"]) == (False, None)
    assert page["data"][0]["delivery_id"] == ids.show(ids.DELIVERY, failed)
    assert Caller(cast.acme("globex")).get("/v1/dead-letters").json()["data"] == []


def shown(*letters: DeadLetter) -> dict[str, list[str]]:
    return {"ids": [ids.show(ids.DEAD_LETTER, each.id) for each in letters]}


def test_dead_letters_are_replayed_and_those_in_doubt_left_alone(caller: Caller, rung: list[str]) -> None:
    one, two, three = (cast.id_of(caller.send()) for _ in range(3))
    failed = delivery(caller, one, "failed", phase=None, reason="rejected")
    doubt = delivery(caller, two, "unknown", phase=None, reason="in_doubt")
    WorkItem.objects.all().delete()
    letters = [letter(caller, one, failed), letter(caller, two, doubt), letter(caller, three, None, "poisoned")]
    answer = caller.post("/v1/dead-letters/replay", shown(*letters, letters[0]))
    assert (answer.status_code, answer.json()) == (202, {"count": 2})
    assert {(w.id, w.queue) for w in WorkItem.objects.all()} == {(failed, "send.social.sms"), (three, "route.social")}
    assert rung == ["route.social", "send.social.sms"]
    assert list(DeadLetter.objects.filter(resolved_at=None)) == [letters[1]]
    assert (events(one), events(two)) == ([("retried", failed, "key shop")], [])
    assert events(three) == [("retried", None, "key shop")]
    again = caller.post("/v1/dead-letters/replay", shown(letters[0]))
    assert refused(again) == (404, "not_found", ["/ids/0"])
    assert WorkItem.objects.count() == 2


def test_dead_letters_are_given_up_for_good(caller: Caller) -> None:
    id_ = cast.id_of(caller.send())
    failed = delivery(caller, id_, "failed", phase=None, reason="rejected")
    dead = letter(caller, id_, failed)
    answer = caller.post("/v1/dead-letters/give-up", shown(dead, dead))
    assert (answer.status_code, answer.json()) == (200, {"count": 1})
    dead.refresh_from_db()
    assert (dead.resolution, dead.resolved_by) == ("given_up", "key shop")
    assert events(id_) == [("given_up", failed, "key shop")]
    assert caller.get("/v1/dead-letters").json()["data"] == []
    assert not WorkItem.objects.exists()


def test_a_letter_whose_notification_is_archived_can_be_given_up(caller: Caller) -> None:
    dead = letter(caller, ids.new())
    assert caller.post("/v1/dead-letters/replay", shown(dead)).json() == {"count": 0}
    assert caller.post("/v1/dead-letters/give-up", shown(dead)).json() == {"count": 1}


@pytest.mark.parametrize("what", ["replay", "give-up"])
def test_another_tenant_s_letters_are_not_there(caller: Caller, what: str) -> None:
    mine = letter(caller, cast.id_of(caller.send()), None, "poisoned")
    globex = Caller(cast.acme("globex", people=()))
    theirs = letter(globex, ids.new())
    where = f"/v1/dead-letters/{what}"
    assert refused(caller.post(where, shown(mine, theirs))) == (404, "not_found", ["/ids/1"])
    assert refused(caller.post(where, {"ids": ["dead_x"]})) == (404, "not_found", ["/ids/0"])
    assert refused(caller.post(where, {"ids": []})) == (400, "out_of_range", ["/ids"])
    assert DeadLetter.objects.filter(resolved_at=None).count() == 2
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize(
    ("verb", "where"),
    [
        ("post", f"{SEND}/nt_x/retry"),
        ("get", "/v1/dead-letters"),
        ("post", "/v1/dead-letters/replay"),
        ("post", "/v1/dead-letters/give-up"),
    ],
)
def test_operating_needs_the_operator_s_scope(caller: Caller, verb: str, where: str) -> None:
    others = Caller(caller.tenant, *(scope for scope in Scope if scope not in {Scope.OPERATOR, Scope.ADMIN}))
    answer = others.get(where) if verb == "get" else others.post(where, {})
    assert refused(answer) == (403, "forbidden", [])
    assert answer.json()["detail"] == "This needs a key with the scope `operator`."
    assert not Attempt.objects.exists()
