"""The cases of conformance.HttpConformance for a provider that speaks HTTP/2 and nothing else; with http2_interruptions.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic, sleep
from typing import ClassVar

import pytest

from apps.channels import transport
from apps.core.enums import OutcomeKind
from tests.contract.conformance import SECRET_WORDS
from tests.contract.http2_case import Http2Case
from tests.contract.scripted import drop, scripted
from tests.simulators import Reply, running


class Http2Conformance(Http2Case):
    refusals: ClassVar[list[tuple[int, bytes, OutcomeKind]]] = []
    """The provider's own error answers: status, body, kind."""
    status_kinds: ClassVar[dict[int, OutcomeKind]] = {}
    """Where it departs from the common table on purpose."""
    garbage: ClassVar[tuple[bytes, ...]] = (b"<html>fine</html>", b"[]", b"{}", b"null", b"\xff\xfe")
    """Bodies of a 200 that it does not send."""

    def test_it_sends_one_request_for_each_message_over_one_connection(self) -> None:
        count = self.provider.fan_out
        messages = self.messages(count)
        with running(self.peer()) as peer:
            outcomes = self.provider.send(self.account(peer.url), messages, deadline=5)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * count
        by_message = [next(r for r in peer.requests if m.reference.encode() in r.body) for m in messages]
        assert [o.provider_message_id for o in outcomes] == [self.accepted(r)[1] for r in by_message]
        assert (peer.count, peer.connections) == (count, 1)
        assert {request.version for request in peer.requests} == {"2"}

    def test_it_keeps_its_connection_from_call_to_call(self) -> None:
        with running(self.peer()) as peer:
            for _ in range(3):
                assert self.kinds(self.send(peer.url, 2)) == [OutcomeKind.ACCEPTED] * 2
        assert (peer.count, peer.connections) == (6, 1)

    def test_it_makes_its_requests_side_by_side(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(delay=0.2)
            started = monotonic()
            outcomes = self.send(peer.url, 8)
            took = monotonic() - started
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 8
        assert took < 8 * 0.2

    def test_it_opens_no_more_streams_than_the_peer_takes(self) -> None:
        with running(self.peer(max_streams=1)) as peer:
            outcomes = self.send(peer.url, 5)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 5
        assert (peer.count, peer.connections) == (5, 1)

    def test_it_speaks_over_tls(self) -> None:
        with running(self.peer(), tls=True) as peer:
            account = replace(self.account(peer.url), ca_bundle=peer.ca_bundle)
            outcomes = self.provider.send(account, self.messages(10), deadline=3)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 10
        assert (peer.count, peer.connections) == (10, 1)

    def test_it_says_down_when_the_certificate_is_not_trusted(self) -> None:
        with running(self.peer(), tls=True) as peer:
            outcomes = self.send(peer.url)
        assert self.told(outcomes) == [(OutcomeKind.PROVIDER_DOWN, "tls")]
        assert peer.requests == []

    def test_it_says_down_when_tls_fails(self) -> None:
        with scripted(drop) as server:
            outcomes = self.send(server.url.replace("http", "https"))
        assert self.told(outcomes) == [(OutcomeKind.PROVIDER_DOWN, "tls")]
        assert server.requests == []

    def test_it_says_down_when_the_connection_is_refused(self) -> None:
        with scripted(drop) as server:
            url = server.url
        assert self.told(self.send(url, 3)) == [(OutcomeKind.PROVIDER_DOWN, "connect_refused")] * 3

    def test_it_says_down_when_the_connection_is_closed_at_once(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(drop="connect")
            outcomes = self.send(peer.url, 3)
        assert self.told(outcomes) == [(OutcomeKind.PROVIDER_DOWN, "connect_refused")] * 3
        assert (peer.count, peer.connections) == (0, 1)

    def test_it_says_down_when_the_peer_does_not_speak_http_2(self) -> None:
        with scripted(lambda seen, sock: sleep(1.8) is None) as server:
            started = monotonic()
            outcomes = self.send(server.url)
            took = monotonic() - started
        assert self.told(outcomes) == [(OutcomeKind.PROVIDER_DOWN, "connect_timeout")]
        assert took < 2.5

    def test_it_says_ambiguous_when_no_answer_comes(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(delay=5)
            outcomes = self.send(peer.url, 3)
        assert self.told(outcomes) == [(OutcomeKind.AMBIGUOUS, "read_timeout")] * 3
        assert peer.count == 3

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_it_says_ambiguous_when_the_connection_drops(self, moment: str) -> None:
        with running(self.peer()) as peer:
            peer.behave(drop=moment)
            outcomes = self.send(peer.url, 3)
        assert self.told(outcomes) == [(OutcomeKind.AMBIGUOUS, "connection_dropped")] * 3
        assert peer.connections == 1

    def test_it_keeps_the_deadline_when_the_answer_drips(self) -> None:
        with running(self.peer(Reply(200, b"x" * 500))) as peer:
            peer.behave(drip=0.05)
            started = monotonic()
            outcomes = self.send(peer.url, deadline=0.7)
            took = monotonic() - started
        assert self.told(outcomes) == [(OutcomeKind.AMBIGUOUS, "deadline")]
        assert 0.6 < took < 5

    @pytest.mark.parametrize("status", [401, 403])
    def test_it_says_misconfigured_when_the_credentials_are_refused(self, status: int) -> None:
        with running(self.peer(Reply(status))) as peer:
            assert self.kinds(self.send(peer.url, 3)) == [OutcomeKind.MISCONFIGURED] * 3

    @pytest.mark.parametrize(
        ("given", "expected"), [("7", 7.0), ("0", 1.0), ("86400", 3600.0), ("soon", None), (None, None)]
    )
    def test_it_reads_retry_after_in_seconds(self, given: str | None, expected: float | None) -> None:
        with running(self.peer(Reply(429, headers={"retry-after": given} if given else {}))) as peer:
            outcomes = self.send(peer.url, 3)
        assert [(o.kind, o.retry_after) for o in outcomes] == [(OutcomeKind.THROTTLED, expected)] * 3

    def test_it_reads_retry_after_as_a_date(self) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        with running(self.peer(Reply(429, headers={"retry-after": date}))) as peer:
            (outcome,) = self.send(peer.url)
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
    @pytest.mark.parametrize("body", [b"", b"<html>oops</html>"])
    def test_it_goes_by_the_status_without_a_code(self, status: int, kind: OutcomeKind, body: bytes) -> None:
        with running(self.peer(Reply(status, body))) as peer:
            outcomes = self.send(peer.url, 3)
        assert self.kinds(outcomes) == [self.status_kinds.get(status, kind)] * 3
        assert outcomes[0].exchange["status"] == status
        assert peer.count == 3

    def test_it_goes_by_the_providers_own_codes(self) -> None:
        for status, body, kind in self.refusals:
            with running(self.peer(Reply(status, body))) as peer:
                assert self.kinds(self.send(peer.url)) == [kind], body
            assert peer.count == 1

    def test_it_says_ambiguous_when_a_success_is_garbage(self) -> None:
        for body in self.garbage:
            with running(self.peer(Reply(200, body))) as peer:
                outcomes = self.send(peer.url, 3)
            assert self.told(outcomes) == [(OutcomeKind.AMBIGUOUS, "answer_unreadable")] * 3, body

    def test_it_refuses_a_success_of_more_than_a_megabyte(self) -> None:
        with running(self.peer(Reply(200, b"x" * (transport.ANSWER_LIMIT + 1)))) as peer:
            assert self.told(self.send(peer.url)) == [(OutcomeKind.AMBIGUOUS, "answer_too_large")]
            peer.answer = lambda request: self.accepted(request)[0]
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_it_follows_no_redirect(self, status: int) -> None:
        with (
            running(self.peer()) as target,
            running(self.peer(Reply(status, headers={"location": target.url}))) as peer,
        ):
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.MISCONFIGURED]
        assert (target.count, peer.count) == (0, 1)

    def test_it_says_misconfigured_when_the_url_is_none(self) -> None:
        assert self.told(self.send("not a url")) == [(OutcomeKind.MISCONFIGURED, "bad_url")]

    def test_it_keeps_addresses_and_content_out_of_the_exchange(self) -> None:
        with running(self.peer(Reply(400, b"rosa0@example.com: 4711 refused"))) as peer:
            (outcome,) = self.send(peer.url)
        assert not any(word in str(outcome.exchange) for word in SECRET_WORDS)
        assert outcome.exchange.keys() == {"status", "ms", "code"}
