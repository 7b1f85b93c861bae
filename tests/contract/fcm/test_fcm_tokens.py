"""Access tokens: one exchange for all, kept, renewed, and never a second send within one attempt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest

from apps.channels import google_tokens
from apps.channels.deadlines import Deadline
from apps.channels.providers.fcm import SCOPE, FcmProvider
from apps.core import clock
from apps.core.enums import OutcomeKind
from apps.core.types import Account, Outcome
from tests.contract.fcm.letters import message
from tests.contract.scripted import answer, drop, hang, scripted
from tests.simulators.fcm import FcmSimulator, service_account


def send(account: Account, count: int = 1) -> list[Outcome]:
    return FcmProvider().send(account, [message(reference=f"at_{n}") for n in range(count)], deadline=5.0)


def paths(google: FcmSimulator) -> list[str]:
    return ["token" if request.path == "/token" else "send" for request in google.requests]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Lets the clock of tokens run ahead: `at(minutes=54)`."""
    start = google_tokens.monotonic()

    def ahead(**given: float) -> None:
        monkeypatch.setattr(google_tokens, "monotonic", lambda: start + timedelta(**given).total_seconds())

    yield ahead


def test_one_exchange_serves_everybody(account: Account, google: FcmSimulator) -> None:
    """Thirty-two side by side, then one more."""
    assert {o.kind for o in send(account, 32) + send(account)} == {OutcomeKind.ACCEPTED}
    assert sorted(paths(google)) == ["send"] * 33 + ["token"]


def test_it_is_renewed_five_minutes_before_it_expires(account: Account, google: FcmSimulator, at: object) -> None:
    at(minutes=0)  # type: ignore[operator]
    send(account)
    at(minutes=54, seconds=50)  # type: ignore[operator]
    send(account)
    at(minutes=55, seconds=5)  # type: ignore[operator]
    send(account)
    assert paths(google) == ["token", "send", "send", "token", "send"]


def test_each_key_has_a_token_of_its_own(account: Account, google: FcmSimulator) -> None:
    """Credentials are changed while the process runs."""
    send(account)
    spaced = msgspec.json.format(google.credentials["service_account"], indent=2)
    send(replace(account, credentials={"service_account": spaced}))
    assert paths(google) == ["token", "send", "token", "send"]


def test_a_revoked_token_is_replaced_with_the_next_attempt(account: Account, google: FcmSimulator) -> None:
    send(account)
    google.revoke_tokens()
    (refused,) = send(account)
    assert (refused.kind, refused.code, refused.retry_after) == (OutcomeKind.THROTTLED, "UNAUTHENTICATED", 1.0)
    assert paths(google) == ["token", "send", "send"]
    assert send(account)[0].kind == OutcomeKind.ACCEPTED
    assert paths(google)[3:] == ["token", "send"]


def test_a_fresh_token_that_is_refused_is_ours_to_mend(account: Account, google: FcmSimulator) -> None:
    send(account)
    google.behave(status=401)
    assert [send(account)[0].kind for _ in range(2)] == [OutcomeKind.THROTTLED, OutcomeKind.MISCONFIGURED]
    assert paths(google) == ["token", "send", "send", "token", "send"]


def test_a_refusal_of_an_older_token_leaves_the_newer_one(account: Account, google: FcmSimulator) -> None:
    """Answers to requests that were under way when the token was replaced."""
    deadline = Deadline(5, 2, 5)
    older = google_tokens.token(account, SCOPE, deadline)
    assert google_tokens.is_fresh_refused(account, older)
    newer = google_tokens.token(account, SCOPE, deadline)
    assert not google_tokens.is_fresh_refused(account, older)
    assert google_tokens.token(account, SCOPE, deadline) == newer != older


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, b'{"error":"invalid_grant"}', OutcomeKind.MISCONFIGURED, "token_invalid_grant"),
        (401, b'{"error":"invalid_client"}', OutcomeKind.MISCONFIGURED, "token_invalid_client"),
        (404, b"<html>", OutcomeKind.MISCONFIGURED, "token_404"),
        (302, b"", OutcomeKind.MISCONFIGURED, "token_302"),
        (429, b"{}", OutcomeKind.PROVIDER_DOWN, "token_429"),
        (500, b'{"error":"internal_failure"}', OutcomeKind.PROVIDER_DOWN, "token_internal_failure"),
        (503, b"<html>", OutcomeKind.PROVIDER_DOWN, "token_503"),
        (200, b"<html>", OutcomeKind.PROVIDER_DOWN, "token_unreadable"),
        (200, b"{}", OutcomeKind.PROVIDER_DOWN, "token_unreadable"),
        (200, b'{"access_token":"a"}', OutcomeKind.PROVIDER_DOWN, "token_unreadable"),
    ],
)
def test_without_a_token_nothing_is_sent(
    account: Account, google: FcmSimulator, status: int, body: bytes, kind: OutcomeKind, code: str
) -> None:
    """Asked once: Google's library would ask three times and sleep in between."""
    with scripted(answer(status, body)) as server:
        (outcome,) = send(_asking(account, google, server.url))
    assert (outcome.kind, outcome.code) == (kind, code)
    assert (len(server.requests), google.requests) == (1, [])


@pytest.mark.parametrize(("script", "code"), [(drop, "token_connection_dropped"), (hang(), "token_read_timeout")])
def test_a_token_endpoint_that_says_nothing_is_no_doubt(
    account: Account, google: FcmSimulator, script: object, code: str
) -> None:
    """Nothing of the message had left."""
    with scripted(script) as server:  # type: ignore[arg-type]
        (outcome,) = send(replace(_asking(account, google, server.url), read_timeout=0.3))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PROVIDER_DOWN, code)
    assert google.requests == []


def test_those_who_waited_share_the_failure(account: Account, google: FcmSimulator) -> None:
    with scripted(hang()) as server:
        asking = replace(_asking(account, google, server.url), read_timeout=0.3)
        with ThreadPoolExecutor(8) as threads:
            outcomes = [o for found in threads.map(lambda _: send(asking), range(8)) for o in found]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.PROVIDER_DOWN}
    assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["", "{}", "not json", '{"type": "service_account"}', "[]"])
def test_a_key_that_is_none_is_ours_to_mend(account: Account, google: FcmSimulator, key: str) -> None:
    (outcome,) = send(replace(account, credentials={"service_account": key}))
    assert (outcome.kind, outcome.code) == (OutcomeKind.MISCONFIGURED, "bad_service_account")
    assert google.requests == []


def test_the_simulator_refuses_an_assertion_of_yesterday(
    account: Account, google: FcmSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = datetime.utcfromtimestamp(clock.now().timestamp()) - timedelta(days=1)  # noqa: DTZ004
    monkeypatch.setattr("google.auth._helpers.utcnow", lambda: yesterday)
    (outcome,) = send(account)
    assert (outcome.kind, outcome.code) == (OutcomeKind.MISCONFIGURED, "token_invalid_grant")
    assert paths(google) == ["token"]


def _asking(account: Account, google: FcmSimulator, url: str) -> Account:
    return replace(account, credentials={"service_account": service_account(f"{url}/token", google._key)})
