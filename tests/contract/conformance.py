"""The cases that every provider passes. A provider's folder has one class that inherits them and says how the provider talks.

HttpConformance for all that speak HTTP; receipt_conformance.py besides for all that send receipts.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Barrier
from time import monotonic
from typing import ClassVar
from uuid import UUID

import pytest

from apps.channels import transport
from apps.channels.base import Provider
from apps.channels.registry import provider
from apps.core import ids
from apps.core.enums import Category, Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.scripted import Seen, answer, drip, drop, hang, raw, reset, scripted

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
ACCOUNT = UUID("01900000-0000-7000-8000-000000000001")
SECRET_WORDS = ("rosa", "4711")


class ProviderCase:
    """What a folder says: the provider's name, an account, and an address that it takes."""

    name: ClassVar[str]
    channel: ClassVar[Channel]
    credentials: ClassVar[dict[str, str]] = {}
    settings: ClassVar[dict[str, object]] = {}
    webhook_secrets: ClassVar[tuple[str, ...]] = ()

    @property
    def provider(self) -> Provider:
        return provider(self.name)

    def account(self, base_url: str) -> Account:
        return Account(
            id=ACCOUNT,
            key="acme-first",
            provider=self.name,
            channel=self.channel,
            base_url=base_url,
            sender=self.sender(),
            credentials=self.credentials,
            webhook_secrets=self.webhook_secrets,
            settings=self.settings,
            connect_timeout=1.0,
            read_timeout=1.0,
            pool_size=4,
        )

    def sender(self) -> str:
        return "Acme <hello@acme.test>"

    def address(self, number: int) -> str:
        return f"rosa{number}@example.com"

    def content(self) -> dict[str, str]:
        return {"subject": "Your code", "text": "Your code is 4711", "html": "<p>Your code is 4711</p>"}

    def messages(self, count: int) -> list[OutboundMessage]:
        return [
            OutboundMessage(
                reference=ids.show(ids.ATTEMPT, ids.new()),
                delivery=ids.show(ids.DELIVERY, ids.new()),
                tenant="acme",
                channel=self.channel,
                category=Category.CRITICAL,
                address=self.address(number),
                platform="",
                sender="",
                content=self.content(),
            )
            for number in range(count)
        ]

    def send(self, base_url: str, count: int = 1, *, deadline: float = 2.0) -> list[Outcome]:
        return self.provider.send(self.account(base_url), self.messages(count), deadline=deadline)


class HttpConformance(ProviderCase):
    refusals: ClassVar[list[tuple[int, bytes, OutcomeKind]]] = []
    """The provider's own error answers: status, body, kind."""
    status_kinds: ClassVar[dict[int, OutcomeKind]] = {}
    """Where it departs from the common table on purpose."""
    wait_unsaid: ClassVar[float | None] = None
    """What it waits after a 429 that says nothing."""
    garbage: ClassVar[tuple[bytes, ...]] = (b"", b"<html>fine</html>", b"[]", b"{}", b"null", b"\xff\xfe")
    """Bodies of a 200 that it does not send; without b"" where an empty body is its way of accepting."""

    def accepted(self, seen: Seen) -> tuple[int, bytes, list[str]]:
        """The answer that accepts everything in this request, and the provider's message ids in order."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _leave_no_connection(self) -> Iterator[None]:
        yield
        transport.close_connections()

    def kinds(self, outcomes: list[Outcome]) -> list[OutcomeKind]:
        return [outcome.kind for outcome in outcomes]

    def some(self) -> int:
        return min(3, self.provider.max_batch)

    def test_it_accepts_a_batch_in_order_with_one_request(self) -> None:
        ids_given: list[str] = []

        def script(seen: Seen, peer: object) -> bool:
            status, body, given = self.accepted(seen)
            ids_given.extend(given)
            return answer(status, body)(seen, peer)  # type: ignore[arg-type]

        with scripted(script) as server:
            outcomes = self.send(server.url, self.some())
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * self.some()
        assert [outcome.provider_message_id for outcome in outcomes] == ids_given
        assert len(server.requests) == 1

    def test_it_makes_its_requests_side_by_side(self) -> None:
        """One for each message, or for each batch; the outcomes in the messages' order whatever the requests' order."""
        if self.provider.fan_out == 1:
            return
        messages = self.messages(3 * self.provider.max_batch)
        given: dict[int, list[str]] = {}
        together = Barrier(3)

        def script(seen: Seen, peer: object) -> bool:
            status, body, ids_given = self.accepted(seen)
            given[self.place(seen, messages)] = ids_given
            together.wait(2)
            return answer(status, body)(seen, peer)  # type: ignore[arg-type]

        with scripted(script) as server:
            outcomes = self.provider.send(self.account(server.url), messages, deadline=3.0)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * len(messages)
        assert [o.provider_message_id for o in outcomes] == [id_ for place in sorted(given) for id_ in given[place]]
        assert len(server.requests) == 3

    def place(self, seen: Seen, messages: list[OutboundMessage]) -> int:
        """Which of the messages comes first in this request."""
        text = seen.path.encode() + repr(seen.headers).encode() + seen.body
        return next(place for place, m in enumerate(messages) if m.reference.encode() in text)

    def test_it_splits_into_calls_that_it_takes(self) -> None:
        most = self.provider.max_batch * self.provider.fan_out
        account = replace(self.account("http://127.0.0.1:9"), pool_size=self.provider.fan_out)
        messages = self.messages(2 * most + 1)
        calls = self.provider.split(account, messages)
        assert [message for call in calls for message in call] == messages
        assert [len(call) for call in calls] == [most, most, 1]
        with pytest.raises(ValueError, match="messages a call"):
            self.send("http://127.0.0.1:9", most + 1)

    def test_it_says_down_when_the_connection_is_refused(self) -> None:
        with scripted(drop) as server:
            url = server.url
        outcomes = self.send(url, self.some())
        assert self.kinds(outcomes) == [OutcomeKind.PROVIDER_DOWN] * self.some()
        assert outcomes[0].code == "connect_refused"

    def test_it_says_down_when_tls_fails(self) -> None:
        with scripted(drop) as server:
            outcomes = self.send(server.url.replace("http", "https"))
        assert [(o.kind, o.code) for o in outcomes] == [(OutcomeKind.PROVIDER_DOWN, "tls")]
        assert (server.connections, server.requests) == (1, [])

    def test_it_says_ambiguous_when_no_answer_comes(self) -> None:
        with scripted(hang()) as server:
            outcomes = self.send(server.url, self.some())
        assert self.kinds(outcomes) == [OutcomeKind.AMBIGUOUS] * self.some()
        assert outcomes[0].code == "read_timeout"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("script", [drop, reset])
    def test_it_says_ambiguous_when_the_connection_drops(self, script: object) -> None:
        with scripted(script) as server:  # type: ignore[arg-type]
            outcomes = self.send(server.url, self.some())
        assert self.kinds(outcomes) == [OutcomeKind.AMBIGUOUS] * self.some()
        assert outcomes[0].code == "connection_dropped"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("at_once", [0, 60])
    def test_it_keeps_the_deadline_when_the_answer_drips(self, at_once: int) -> None:
        started = monotonic()
        with scripted(drip(raw(200, b"x" * 500), 0.05, at_once=at_once)) as server:
            outcomes = self.send(server.url, deadline=0.7)
            took = monotonic() - started
        assert [(o.kind, o.code) for o in outcomes] == [(OutcomeKind.AMBIGUOUS, "deadline")]
        assert 0.6 < took < 5

    @pytest.mark.parametrize("status", [401, 403])
    def test_it_says_misconfigured_when_the_credentials_are_refused(self, status: int) -> None:
        with scripted(answer(status)) as server:
            assert self.kinds(self.send(server.url, self.some())) == [OutcomeKind.MISCONFIGURED] * self.some()

    @pytest.mark.parametrize(
        ("given", "expected"), [("7", 7.0), ("0", 1.0), ("86400", 3600.0), ("soon", None), (None, None)]
    )
    def test_it_reads_retry_after_in_seconds(self, given: str | None, expected: float | None) -> None:
        with scripted(answer(429, headers={"Retry-After": given} if given else {})) as server:
            outcomes = self.send(server.url, self.some())
        wait = expected or self.wait_unsaid
        assert [(o.kind, o.retry_after) for o in outcomes] == [(OutcomeKind.THROTTLED, wait)] * self.some()

    def test_it_reads_retry_after_as_a_date(self) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        with scripted(answer(429, headers={"Retry-After": date})) as server:
            (outcome,) = self.send(server.url)
        assert outcome.kind == OutcomeKind.THROTTLED
        assert 85 < (outcome.retry_after or 0) <= 90

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (500, OutcomeKind.TRANSIENT),
            (501, OutcomeKind.TRANSIENT),
            (502, OutcomeKind.PROVIDER_DOWN),
            (503, OutcomeKind.PROVIDER_DOWN),
            (504, OutcomeKind.PROVIDER_DOWN),
            (400, OutcomeKind.REJECTED),
            (413, OutcomeKind.REJECTED),
            (422, OutcomeKind.REJECTED),
        ],
    )
    def test_it_goes_by_the_status_without_a_code(self, status: int, kind: OutcomeKind) -> None:
        with scripted(answer(status, b"<html>oops</html>")) as server:
            outcomes = self.send(server.url, self.some())
        assert self.kinds(outcomes) == [self.status_kinds.get(status, kind)] * self.some()
        assert outcomes[0].exchange["status"] == status
        assert len(server.requests) == 1

    def test_it_goes_by_the_providers_own_codes(self) -> None:
        for status, body, kind in self.refusals:
            with scripted(answer(status, body)) as server:
                assert self.kinds(self.send(server.url)) == [kind], body

    def test_it_says_ambiguous_when_a_success_is_garbage(self) -> None:
        for body in self.garbage:
            with scripted(answer(200, body)) as server:
                outcomes = self.send(server.url, self.some())
            assert [(o.kind, o.code) for o in outcomes] == [
                (OutcomeKind.AMBIGUOUS, "answer_unreadable")
            ] * self.some(), body

    def test_it_says_ambiguous_when_a_success_is_cut_short(self) -> None:
        with scripted(drip(raw(200, b"{" * 100)[:-50], 0, at_once=1000)) as server:
            assert [(o.kind, o.code) for o in self.send(server.url)] == [(OutcomeKind.AMBIGUOUS, "connection_dropped")]

    def test_it_refuses_a_success_of_more_than_a_megabyte(self) -> None:
        with scripted(answer(200, b"x" * (transport.ANSWER_LIMIT + 1))) as server:
            assert [(o.kind, o.code) for o in self.send(server.url)] == [(OutcomeKind.AMBIGUOUS, "answer_too_large")]

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_it_follows_no_redirect(self, status: int) -> None:
        with scripted(answer(200)) as target, scripted(answer(status, headers={"Location": target.url})) as server:
            assert self.kinds(self.send(server.url)) == [OutcomeKind.MISCONFIGURED]
        assert target.requests == []
        assert len(server.requests) == 1

    def test_it_says_misconfigured_when_the_url_is_none(self) -> None:
        assert [(o.kind, o.code) for o in self.send("not a url")] == [(OutcomeKind.MISCONFIGURED, "bad_url")]

    def test_it_keeps_addresses_and_content_out_of_the_exchange(self) -> None:
        with scripted(answer(400, b"rosa0@example.com: 4711 refused")) as server:
            (outcome,) = self.send(server.url)
        assert not any(word in str(outcome.exchange) for word in SECRET_WORDS)
        assert outcome.exchange.keys() == {"status", "ms", "code"}
