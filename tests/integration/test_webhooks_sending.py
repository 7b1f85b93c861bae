"""What is told, how it is signed, and what becomes of endpoints that do not listen."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from standardwebhooks import Webhook

from apps.channels import transport
from apps.channels.models import Alert
from apps.core import clock, crypto, ids, sealed
from apps.core.problems import Problem
from apps.webhooks.models import WebhookAttempt, WebhookEvent
from apps.webhooks.services import rotate_secret, update_endpoint
from tests.contract.scripted import answer, drop, raw, scripted
from tests.integration.receipts_cast import tenant
from tests.integration.webhooks_cast import (
    attempts,
    become,
    deliveries,
    due_now,
    endpoint,
    open_calls,
    receiver,
    row_of,
    send_due,
    told,
    waits,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _leave_no_connection() -> Any:
    yield
    transport.close_connections()


def test_it_tells_what_became_of_a_message_and_nothing_else() -> None:
    with receiver() as server:
        endpoint(f"{server.url}/hooks")
        (delivery,) = deliveries()
        become([delivery], "bounced", "hard_bounce")
        (result,) = send_due()
    (seen,) = server.requests
    said = told(seen)
    assert (seen.method, seen.path, seen.headers["content-type"]) == ("POST", "/hooks", "application/json")
    assert set(said) == {"type", "timestamp", "data"}
    assert said["type"] == "message.bounced"
    assert said["data"] == {
        "message_id": ids.show(ids.DELIVERY, delivery),
        "notification_id": said["data"]["notification_id"],
        "user_id": "rosa",
        "channel": "email",
        "category": "transactional",
        "event_type": "order.shipped",
        "mode": "live",
        "status": "bounced",
        "reason": "hard_bounce",
        "sentence": "The address bounced for good.",
    }
    assert seen.headers["webhook-id"] == ids.show(ids.WEBHOOK_EVENT, result.job.event_id)
    assert (attempts(), open_calls()) == ([(1, True, 200, "")], 0)


def test_the_signature_is_one_that_receivers_verify_and_two_while_a_secret_is_rotated() -> None:
    with receiver() as server:
        made, first = endpoint(server.url)
        owner = tenant()
        become(deliveries(), "sent")
        send_due()
        second = rotate_secret(tenant_id=owner, endpoint_id=made, overlap=timedelta(hours=1)).secret
        become(deliveries(), "sent")
        send_due()
        third = rotate_secret(tenant_id=owner, endpoint_id=made, overlap=timedelta(0)).secret
        become(deliveries(), "sent")
        send_due()
    signed = [
        [_verifies(secret, seen.body, seen.headers) for secret in (first, second, third)] for seen in server.requests
    ]
    assert signed == [[True, False, False], [True, True, False], [False, False, True]]
    assert [len(seen.headers["webhook-signature"].split()) for seen in server.requests] == [1, 2, 1]
    assert first.encode() not in bytes(row_of(made).sealed)


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except Exception as error:
        assert type(error).__name__ == "WebhookVerificationError"
        return False
    return True


def test_a_secret_outlives_the_key_that_sealed_it_if_it_is_sealed_anew(caplog: pytest.LogCaptureFixture) -> None:
    key = b"9" * 32
    with receiver() as server:
        _, secret = endpoint(server.url, "message.sent")
        become(deliveries(), "sent")
        crypto._cipher.cache_clear()
        with override_settings(ENCRYPTION_KEYS={"k9": key}):
            send_due()
        assert attempts() == [(1, False, None, "secret_lost")] and not server.requests
        with override_settings(ENCRYPTION_KEYS={"k9": key, **settings.ENCRYPTION_KEYS}):
            (column,) = [one for one in sealed.registered() if one.model == "webhooks.WebhookEndpoint"]
            assert list(sealed.reseal(column)) == [(1, 0)]
        crypto._cipher.cache_clear()
        with override_settings(ENCRYPTION_KEYS={"k9": key}):
            due_now()
            send_due()
    assert _verifies(secret, server.requests[0].body, server.requests[0].headers)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "webhook secret cannot be opened"
    ]


def test_a_failed_call_is_tried_again_on_the_schedule_with_the_same_id_and_words() -> None:
    planned = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    with receiver(answer(500, b"no")) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
        for seconds in planned:
            (wait,) = waits()
            assert seconds - 2 < wait <= seconds * 1.1
            due_now()
            send_due()
    assert (len(server.requests), open_calls()) == (10, 0)
    assert {(seen.headers["webhook-id"], seen.body) for seen in server.requests} == {
        (server.requests[0].headers["webhook-id"], server.requests[0].body)
    }
    assert attempts() == [(number, False, 500, "") for number in range(1, 11)]
    rows = WebhookAttempt.objects.all_tenants().order_by("id")
    assert [row.next_at is not None for row in rows] == [True] * 9 + [False]
    assert {row.answer for row in rows} == {"no"}


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    with receiver(answer(429, headers={"Retry-After": "900"})) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
    (wait,) = waits()
    assert 895 < wait <= 900


def test_gone_means_off() -> None:
    with receiver(answer(410)) as server:
        made, _ = endpoint(server.url)
        become(deliveries(3), "sent")
        send_due()
        become(deliveries(), "sent")
        assert send_due() == []
    assert (row_of(made).is_on, row_of(made).off_reason, open_calls()) == (False, "It answered 410 Gone.", 0)
    (alert,) = Alert.objects.all_tenants()
    assert (alert.kind, alert.tenant_id, alert.ended_at) == ("webhook_off", tenant(), None)
    assert alert.subject == ids.show(ids.WEBHOOK_ENDPOINT, made)
    assert WebhookEvent.objects.of(tenant()).count() == 4
    update_endpoint(tenant_id=tenant(), endpoint_id=made, is_on=True)
    assert Alert.objects.all_tenants().get().ended_at is not None


@pytest.mark.parametrize(("days", "is_on"), [(4.9, True), (5.1, False)])
def test_who_fails_for_five_days_is_switched_off(days: float, is_on: bool) -> None:
    with receiver(answer(503)) as server:
        made, _ = endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
        assert row_of(made).failing_since is not None
        row = row_of(made)
        row.failing_since = clock.now() - timedelta(days=days)
        row.save()
        due_now()
        send_due()
    assert (row_of(made).is_on, open_calls(), Alert.objects.all_tenants().count()) == (
        is_on,
        int(is_on),
        int(not is_on),
    )
    assert row_of(made).off_reason.startswith("" if is_on else "Every call failed since ")


def test_one_success_ends_a_failure() -> None:
    answers = [answer(500), answer(200)]
    with receiver(lambda seen, peer: answers.pop(0)(seen, peer)) as server:
        made, _ = endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
        due_now()
        send_due()
    assert (row_of(made).failing_since, row_of(made).is_proven, open_calls()) == (None, True, 0)


def test_a_redirect_is_not_followed() -> None:
    with scripted(answer(200)) as trap, receiver(answer(302, headers={"Location": trap.url})) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
    assert (len(server.requests), trap.connections, attempts()) == (1, 0, [(1, False, 302, "")])


def test_no_more_of_an_answer_is_read_than_is_needed() -> None:
    """A gigabyte is announced; the server gets rid of no more than what fits into the buffers between."""
    sent: list[int] = []

    def endless(seen: Any, peer: Any) -> bool:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(1024):
            peer.sendall(bytes(1024 * 1024))
            sent.append(1)
        return False

    with receiver(endless) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        (result,) = send_due()
    assert result.is_success and len(result.answer) <= 300
    assert len(sent) < 20


def test_an_answer_that_breaks_off_is_a_failure_without_a_status() -> None:
    with receiver(drop) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
    assert attempts() == [(1, False, None, "connection_dropped")]


def test_a_yes_whose_body_breaks_off_is_a_yes() -> None:
    def cut(seen: Any, peer: Any) -> bool:
        peer.sendall(raw(200, b"x" * 100)[:-50])
        return False

    with receiver(cut) as server:
        endpoint(server.url)
        become(deliveries(), "sent")
        send_due()
    assert (attempts(), open_calls()) == ([(1, True, 200, "")], 0)


def test_a_url_of_our_own_network_is_refused_when_it_is_saved_and_when_it_is_called() -> None:
    with receiver() as server:
        made, _ = endpoint(server.url)
        become(deliveries(), "sent")
        with override_settings(WEBHOOK_ALLOWED_NETWORKS=()):
            with pytest.raises(Problem) as refused:
                endpoint(server.url.replace("http:", "https:").replace(str(server.port), "8443"))
            send_due()
            row = row_of(made)
            row.url = "https://127.0.0.1:8443/"
            row.save()
            due_now()
            send_due()
    assert refused.value.code == "webhook_url_refused"
    assert attempts() == [(1, False, None, "url_refused"), (2, False, None, "forbidden_address")]
    assert server.connections == 0
