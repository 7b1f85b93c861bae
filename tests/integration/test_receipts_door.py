"""The receipts door: who gets in, and what is left behind."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError
from django.test import Client

from apps.channels import selectors as channels
from apps.channels import services as channel_services
from apps.channels.standard_webhooks import sign
from apps.core import clock, crypto
from apps.core.enums import Channel
from apps.receipts import services, views
from apps.receipts.models import ReceiptCall

pytestmark = pytest.mark.django_db
URL = "/v1/receipts/sandbox-email"
BODY = b'{"events":[]}'


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The bells that rang."""
    found: list[str] = []
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: found.extend(queues))
    channels.forget_cached()
    yield found
    channels.forget_cached()


def post(client: Client, url: str = URL, body: bytes = BODY, *, age: int = 0, secret: str = "", **extra: str) -> Any:
    moment = clock.now() - timedelta(seconds=age)
    headers = sign(
        secret or django_settings.SANDBOX_SECRET, message_id="msg_1", timestamp=int(moment.timestamp()), body=body
    )
    return client.post(url, data=body, content_type="application/json", headers={**headers, **extra})


def test_it_stores_a_signed_call_sealed_in_one_statement(
    client: Client, rung: list[str], django_assert_num_queries: Any, django_capture_on_commit_callbacks: Any
) -> None:
    body = b'{"events":[],"address":"rosa@example.com"}'
    with django_capture_on_commit_callbacks(execute=True), django_assert_num_queries(1):
        response = post(client, body=body, Authorization="Bearer secret", Cookie="a=b")
    assert (response.status_code, response.content) == (202, b'{"status":"stored"}')
    assert rung == ["receipts"]
    call = ReceiptCall.objects.get()
    assert (call.account_id, call.provider) == (channels.sandbox_account(Channel.EMAIL).id, "sandbox")
    assert (call.applied_at, call.parked_at, call.tries, call.error) == (None, None, 0, "")
    assert b"rosa" not in bytes(call.sealed)
    stored = msgspec.msgpack.decode(
        crypto.decrypt(bytes(call.sealed), bound_to=call.id.bytes), type=services.StoredCall
    )
    assert stored.body == body
    assert stored.headers["webhook-id"] == "msg_1"
    assert not {"authorization", "cookie"} & stored.headers.keys()


def refused(response: Any, status: int, code: str, rung: list[str]) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert not ReceiptCall.objects.exists()
    assert rung == []


def test_it_refuses_another_secret(client: Client, rung: list[str]) -> None:
    refused(post(client, secret="other"), 401, "signature_invalid", rung)


def test_it_refuses_no_signature(client: Client, rung: list[str]) -> None:
    refused(client.post(URL, data=BODY, content_type="application/json"), 401, "signature_invalid", rung)


def test_it_refuses_a_replay(client: Client, rung: list[str]) -> None:
    refused(post(client, age=301), 401, "signature_invalid", rung)


@pytest.mark.parametrize("url", ["/v1/receipts/nobody", "/v1/receipts/sandbox-in_app", "/v1/receipts/sandbox-"])
def test_it_knows_no_other_account(client: Client, rung: list[str], url: str) -> None:
    refused(post(client, url), 404, "not_found", rung)


def test_it_knows_no_account_whose_provider_has_no_receipts(client: Client, rung: list[str]) -> None:
    channel_services.create_account(key="mail", provider="smtp", channel=Channel.EMAIL)
    refused(post(client, "/v1/receipts/mail"), 404, "not_found", rung)


def test_it_takes_receipts_of_an_account_that_is_off(client: Client, rung: list[str]) -> None:
    account = channel_services.create_account(
        key="own", provider="sandbox", channel=Channel.SMS, webhook_secrets=["whsec_AAAA", "own-secret"]
    )
    channel_services.switch_off(account.id, "Trouble.")
    assert post(client, "/v1/receipts/own", secret="own-secret").status_code == 202
    assert ReceiptCall.objects.get().account_id == account.id
    refused_response = post(client, "/v1/receipts/own")
    assert refused_response.status_code == 401


def test_it_refuses_other_methods(client: Client, rung: list[str]) -> None:
    response = client.get(URL)
    refused(response, 405, "method_not_allowed", rung)
    assert response["Allow"] == "POST"


def test_it_refuses_more_than_a_megabyte(client: Client, rung: list[str]) -> None:
    refused(post(client, body=b"x" * (views.BODY_LIMIT + 1)), 413, "body_too_large", rung)


def test_it_asks_to_come_again_when_the_database_is_away(
    client: Client, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(services, "store_call", away)
    response = post(client)
    refused(response, 503, "unavailable", rung)
    assert response["Retry-After"] == "2"


def test_it_needs_no_csrf_token(rung: list[str]) -> None:
    assert post(Client(enforce_csrf_checks=True)).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_bell_that_breaks_does_not_break_the_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*queues: str) -> None:
        raise RuntimeError("no broker")

    monkeypatch.setattr(views.ringer, "ask", broken)
    assert post(client).status_code == 202
    assert ReceiptCall.objects.count() == 1
