"""The same request twice is one notification: by its key, and by its event."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.audience.models import Endpoint, Recipient
from apps.core import clock
from apps.core.enums import KeyMode, Scope
from apps.ingest import checks, idempotency
from apps.ledger.models import Notification, SeenKey, WorkItem
from tests.integration import ingest_cast as cast
from tests.integration.ingest_cast import BATCH, NOTHING, ROSA, SCHEDULED, SEND, Caller, Written, refused, written

ONE = Written(1, 1, 1, 0)


@pytest.fixture
def caller(db: None) -> Caller:
    return Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, Scope.NOTIFICATIONS_CRITICAL)


def is_replay(answer: Any, of: Any) -> bool:
    """The stored answer, and marked so."""
    assert (answer.status_code, answer.json()) == (of.status_code, of.json())
    assert answer["Idempotency-Key"] == of["Idempotency-Key"]
    assert "Idempotent-Replayed" not in of
    return bool(answer["Idempotent-Replayed"] == "true")


def test_the_same_request_again_gets_the_same_answer(caller: Caller) -> None:
    first = caller.send("k-1")
    assert is_replay(caller.send("k-1"), of=first)
    assert written() == ONE


def test_order_of_members_and_white_space_do_not_make_another_request(caller: Caller) -> None:
    first = caller.post(SEND, b'{"user_id":"rosa","category":"social","message":{"body":"x","title":"y"}}', key="k-1")
    again = b'{ "message": {"title":"y", "body":"x"},\n "category":"social", "user_id":"ros\\u0061" }'
    assert is_replay(caller.post(SEND, again, key="k-1"), of=first)
    assert written() == ONE


def test_another_body_with_the_same_key_is_refused(caller: Caller) -> None:
    first = caller.send("k-1")
    answer = caller.send("k-1", object_id="x")
    assert refused(answer) == (422, "idempotency_key_reused", ["#header/Idempotency-Key"])
    assert written() == ONE
    assert is_replay(caller.send("k-1"), of=first)


def test_a_key_in_the_body_counts_like_the_header(caller: Caller) -> None:
    first = caller.send(idempotency_key="k-1")
    assert first["Idempotency-Key"] == "k-1"
    assert is_replay(caller.send(idempotency_key="k-1"), of=first)
    assert is_replay(caller.send("k-1", idempotency_key="k-1"), of=first)
    answer = caller.send("k-2", idempotency_key="k-1")
    assert refused(answer) == (400, "contradiction", ["/idempotency_key"])
    assert written() == ONE


@pytest.mark.parametrize("key", ["", "x" * 256, "sch\u00f6n", "a\tb"])
def test_it_refuses_keys_that_are_none(caller: Caller, key: str) -> None:
    answer = caller.client.post(
        SEND, ROSA, content_type="application/json", headers=caller.headers, HTTP_IDEMPOTENCY_KEY=key
    )
    assert refused(answer) == (400, "idempotency_key_invalid", ["#header/Idempotency-Key"])
    assert written() == NOTHING


def test_the_longest_key_is_taken(caller: Caller) -> None:
    first = caller.send("~" * 255)
    assert is_replay(caller.send("~" * 255), of=first)


def test_a_key_is_made_when_there_is_none_and_replays(caller: Caller) -> None:
    first, second = caller.send(), caller.send()
    assert len(first["Idempotency-Key"]) == 24
    assert first["Idempotency-Key"] != second["Idempotency-Key"]
    assert is_replay(caller.send(first["Idempotency-Key"]), of=first)
    assert written() == Written(2, 2, 2, 0)


def test_a_key_s_policy_may_require_it(db: None) -> None:
    caller = Caller(cast.acme(), Scope.NOTIFICATIONS_WRITE, requires_idempotency_key=True)
    answer = caller.send()
    assert refused(answer) == (400, "idempotency_key_required", ["#header/Idempotency-Key"])
    assert refused(caller.post(BATCH, {"notifications": [ROSA]}))[1] == "idempotency_key_required"
    assert written() == NOTHING
    assert caller.send("k-1").status_code == 202


def test_doors_tenants_and_modes_do_not_share_keys(caller: Caller) -> None:
    due = (clock.now() + timedelta(days=1)).isoformat()
    globex = Caller(cast.acme("globex", people=("rosa",)), Scope.NOTIFICATIONS_WRITE)
    live = Caller(caller.tenant, Scope.NOTIFICATIONS_WRITE, mode=KeyMode.LIVE)
    answers = [
        caller.send("k-1", schedule_at=due),
        caller.post(SCHEDULED, ROSA | {"schedule_at": due}, key="k-1"),
        globex.send("k-1", schedule_at=due),
        live.send("k-1", schedule_at=due),
    ]
    assert len({cast.id_of(answer) for answer in answers}) == 4
    assert not any("Idempotent-Replayed" in answer for answer in answers)
    assert written(3) == Written(4, 4, 4, 0)


def test_two_keys_of_one_tenant_and_mode_share_them(caller: Caller) -> None:
    first = caller.send("k-1")
    assert is_replay(Caller(caller.tenant, Scope.NOTIFICATIONS_WRITE).send("k-1"), of=first)
    assert written() == ONE


def test_it_is_answered_again_when_it_could_not_be_accepted_any_more(caller: Caller) -> None:
    due = (clock.now() + timedelta(hours=1)).isoformat()
    scheduled = caller.send("k-1", schedule_at=due)
    batch: dict[str, Any] = {"notifications": [{**ROSA, "schedule_at": due}, {**ROSA, "user_id": "nobody"}]}
    mixed = caller.post(BATCH, batch, key="k-2")
    assert mixed.json()["accepted"] == 1
    Recipient.objects.filter(user_id="rosa").delete()
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        assert is_replay(caller.send("k-1", schedule_at=due), of=scheduled)
        assert is_replay(caller.post(BATCH, batch, key="k-2"), of=mixed)
        assert refused(caller.send("k-3", schedule_at=due))[1] == "schedule_in_past"
    assert refused(caller.send("k-3"))[1] == "unknown_user"
    assert written(1) == Written(2, 2, 2, 0)


def test_an_expired_key_is_as_good_as_none(caller: Caller) -> None:
    first = caller.send("k-1")
    SeenKey.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    second = caller.send("k-1", object_id="other")
    assert cast.id_of(second) != cast.id_of(first)
    assert "Idempotent-Replayed" not in second
    assert is_replay(caller.send("k-1", object_id="other"), of=second)
    assert written() == Written(2, 2, 1, 0)


def test_a_key_is_kept_for_three_days_and_an_event_as_long_as_the_ledger(caller: Caller) -> None:
    cast.id_of(caller.send("k-1", event_id="e-1"))
    left = sorted(expiry - clock.now() for expiry in SeenKey.objects.values_list("expires_at", flat=True))
    minute = timedelta(minutes=1)
    assert abs(left[0] - timedelta(hours=72)) < minute
    assert abs(left[1] - timedelta(days=caller.tenant.retention_days)) < minute


def test_an_event_is_told_once_whatever_the_key(caller: Caller) -> None:
    first = caller.send("k-1", event_id="e-1")
    second = caller.send("k-2", event_id="e-1", object_id="other")
    assert second.status_code == 202
    assert second.json() == first.json() | {"duplicate": True}
    assert "Idempotent-Replayed" not in second
    assert is_replay(caller.send("k-2", event_id="e-1", object_id="other"), of=second)
    assert written() == Written(1, 1, 3, 0)


def test_an_event_is_told_once_to_each(caller: Caller) -> None:
    first = caller.send(event_id="e-1")
    body = {k: v for k, v in ROSA.items() if k != "user_id"}
    body |= {"event_id": "e-1", "recipients": [{"user_id": "rosa"}, {"user_id": "otto"}]}
    rosa, otto = caller.post(SEND, body).json()["notifications"]
    assert (rosa["notification_id"], rosa["duplicate"]) == (first.json()["notification_id"], True)
    assert rosa["timeline_url"] == first.json()["timeline_url"]
    assert "duplicate" not in otto
    assert Notification.objects.count() == WorkItem.objects.count() == 2


def test_an_event_twice_in_one_batch_is_told_once(caller: Caller) -> None:
    items = [ROSA | {"event_id": "e-1"}, ROSA | {"event_id": "e-1", "object_id": "x"}, ROSA | {"event_id": "e-2"}]
    one, twin, other = caller.post(BATCH, {"notifications": items}).json()["results"]
    assert twin == one | {"index": 1, "duplicate": True}
    assert other["notification_id"] != one["notification_id"]
    assert written() == Written(2, 2, 3, 0)


def test_other_categories_tenants_and_modes_have_events_of_their_own(caller: Caller) -> None:
    globex = Caller(cast.acme("globex", people=("rosa",)))
    live = Caller(caller.tenant, mode=KeyMode.LIVE)
    answers = [each.send(event_id="e-1") for each in (caller, globex, live)]
    answers.append(caller.send(event_id="e-1", category="critical"))
    assert len({cast.id_of(answer) for answer in answers}) == 4
    assert not any("duplicate" in answer.json() for answer in answers)


def test_an_event_past_its_time_may_be_told_again(caller: Caller) -> None:
    first = cast.id_of(caller.send(event_id="e-1"))
    SeenKey.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    again = caller.send(event_id="e-1")
    assert cast.id_of(again) != first
    assert "duplicate" not in again.json()


def test_neither_a_refusal_nor_a_replay_changes_a_profile(caller: Caller) -> None:
    def send(key: str, **fields: Any) -> Any:
        body = {"category": "social", "message": {"body": "Hello"}, "recipient": {"user_id": "bea", **fields}}
        return caller.post(SEND, body, key=key)

    first = send("k-1", locale="de")
    person = Recipient.objects.filter(user_id="bea")
    person.update(locale="it")
    assert is_replay(send("k-1", locale="de"), of=first)
    assert refused(send("k-1", locale="fr", email="bea@simulator.test"))[1] == "idempotency_key_reused"
    assert person.get().locale == "it"
    assert Endpoint.objects.count() == 0
    body = {"category": "social", "message": {"body": "Hello"}, "recipient": {"user_id": "carl"}}
    batch: dict[str, Any] = {"notifications": [body]}
    cast.id_of(caller.post(SEND, ROSA, key="k-2"))
    mixed = caller.post(BATCH, batch, key="k-3")
    assert mixed.json()["accepted"] == 1
    Recipient.objects.filter(user_id="carl").update(locale="it")
    batch["notifications"][0]["recipient"] = {"user_id": "dora"}
    assert refused(caller.post(BATCH, batch, key="k-3"))[1] == "idempotency_key_reused"
    assert not Recipient.objects.filter(user_id="dora").exists()


def test_the_service_does_not_start_when_keys_die_before_retries(settings: Any) -> None:
    settings.IDEMPOTENCY_TTL_HOURS = 25
    assert checks.keys_outlive_retries() == []
    settings.IDEMPOTENCY_TTL_HOURS = 24
    [error] = checks.keys_outlive_retries()
    assert (error.id, error.is_serious()) == ("ingest.E001", True)
    assert error.hint == (
        "Set NOTIFIER_IDEMPOTENCY_TTL_HOURS to at least 25: a caller that repeats a request later would send it twice."
    )
    assert idempotency.key_ttl() == timedelta(hours=24)


def test_the_check_is_registered() -> None:
    from django.core.checks import registry

    assert "keys_outlive_retries" in {check.__name__ for check in registry.registry.get_checks()}
