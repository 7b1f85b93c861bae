"""What HTTP/2 adds to the cases: streams refused, reset or left out by GOAWAY, and connections that end between calls.

The promise is the same: every attempt is one request, and what was not acted on is not called doubtful.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import process_time, sleep

import pytest

from apps.channels.http2_connection import Connection
from apps.core.enums import OutcomeKind
from tests.contract.http2_case import Http2Case
from tests.simulators import Reply, running


class Http2Interruptions(Http2Case):
    def test_an_answer_that_does_not_come_costs_a_living_peer_no_connection(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(delay=5, requests=1)
            found = [self.told(self.send(peer.url)) for _ in range(3)]
        accepted = [(OutcomeKind.ACCEPTED, "")]
        assert found == [[(OutcomeKind.AMBIGUOUS, "read_timeout")], accepted, accepted]
        assert (peer.count, peer.connections) == (3, 1)

    def test_it_takes_a_new_connection_when_the_peer_says_nothing_any_more(self) -> None:
        with running(self.peer()) as peer:
            first = self.send(peer.url)
            peer.is_deaf = True
            second = self.send(peer.url)
            threading.Timer(0.5, setattr, (peer, "is_deaf", False)).start()
            third = self.send(peer.url, deadline=6)
        assert self.told(first + second + third) == [
            (OutcomeKind.ACCEPTED, ""),
            (OutcomeKind.AMBIGUOUS, "read_timeout"),
            (OutcomeKind.ACCEPTED, ""),
        ]
        assert (peer.count, peer.connections) == (2, 2)

    def test_a_refusal_counts_even_when_its_text_does_not_arrive(self) -> None:
        with running(self.peer(Reply(503, b"x" * 500))) as peer:
            peer.behave(drip=0.05)
            outcomes = self.send(peer.url, deadline=0.7)
        assert self.told(outcomes) == [(OutcomeKind.PROVIDER_DOWN, "503")]

    def test_one_answer_that_does_not_come_does_not_disturb_the_others(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(delay=5, share=0.25)
            outcomes = self.send(peer.url, 8)
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]
        assert sorted(self.kinds(outcomes)) == [OutcomeKind.ACCEPTED] * 6 + [OutcomeKind.AMBIGUOUS] * 2
        assert peer.count == 9

    def test_what_goaway_left_out_was_not_sent_and_the_rest_is_answered(self) -> None:
        """Each message is one request, before, during and after it: nothing is sent twice by itself."""
        with running(self.peer()) as peer:
            peer.behave(goaway=3, delay=0.05)
            outcomes = self.send(peer.url, 10)
            assert (
                self.told(outcomes)
                == [(OutcomeKind.ACCEPTED, "")] * 3 + [(OutcomeKind.PROVIDER_DOWN, "refused_stream")] * 7
            )
            assert len({request.body for request in peer.requests}) == peer.count == 10
            peer.behave()
            assert self.kinds(self.send(peer.url, 2)) == [OutcomeKind.ACCEPTED] * 2
        assert (peer.count, peer.connections) == (12, 2)

    def test_what_was_not_written_before_goaway_goes_over_the_next_connection(self) -> None:
        with running(self.peer(max_streams=1)) as peer:
            peer.behave(goaway=2)
            outcomes = self.send(peer.url, 6)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 6
        assert len({request.body for request in peer.requests}) == peer.count == 6
        assert peer.connections == 3

    def test_it_does_not_go_from_connection_to_connection_for_ever(self) -> None:
        with running(self.peer(max_streams=1)) as peer:
            peer.behave(goaway=1)
            outcomes = self.send(peer.url, 6)
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 4 + [OutcomeKind.PROVIDER_DOWN] * 2
        assert (peer.count, peer.connections) == (4, 4)

    def test_what_was_acted_on_before_goaway_but_not_answered_is_ambiguous(self) -> None:
        with running(self.peer()) as peer:
            peer.behave(goaway=4)
            peer.also(drop="after", delay=0.1)
            outcomes = self.send(peer.url, 6)
        assert (
            self.told(outcomes)
            == [(OutcomeKind.AMBIGUOUS, "connection_dropped")] * 4 + [(OutcomeKind.PROVIDER_DOWN, "refused_stream")] * 2
        )
        assert peer.count == 6

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (7, (OutcomeKind.PROVIDER_DOWN, "refused_stream")),
            (2, (OutcomeKind.AMBIGUOUS, "connection_dropped")),
            (11, (OutcomeKind.AMBIGUOUS, "connection_dropped")),
        ],
    )
    def test_it_tells_a_refused_stream_from_one_that_was_reset(self, code: int, said: tuple[OutcomeKind, str]) -> None:
        with running(self.peer()) as peer:
            peer.behave(reset=code, share=0.5)
            outcomes = self.send(peer.url, 4)
        assert sorted(self.told(outcomes)) == sorted([(OutcomeKind.ACCEPTED, "")] * 2 + [said] * 2)
        assert (peer.count, peer.connections) == (4, 1)

    def test_it_notices_that_an_idle_connection_was_closed(self) -> None:
        with running(self.peer()) as peer:
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]
            peer.hang_up()
            sleep(0.1)
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]
        assert (peer.count, peer.connections) == (2, 2)

    def test_it_asks_a_silent_connection_before_it_uses_it(self) -> None:
        with running(self.peer()) as peer:
            account = self.account(peer.url)
            account = replace(account, settings={**account.settings, "keepalive_seconds": 0})
            for _ in range(2):
                assert self.kinds(self.provider.send(account, self.messages(1), deadline=2)) == [OutcomeKind.ACCEPTED]
        assert (peer.count, peer.connections) == (2, 1)

    def test_waiting_for_one_another_costs_nothing(self) -> None:
        with running(self.peer()) as peer, ThreadPoolExecutor(3) as pool:
            self.send(peer.url)
            peer.behave(delay=0.8)
            began = process_time()
            found = list(pool.map(lambda _: self.send(peer.url, 2), range(3)))
            took = process_time() - began
        assert [self.kinds(outcomes) for outcomes in found] == [[OutcomeKind.ACCEPTED] * 2] * 3
        assert took < 0.3
        assert (peer.count, peer.connections) == (7, 1)

    def test_what_nobody_understands_is_ambiguous_and_ends_the_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running(self.peer()) as peer:
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "_on", lambda connection, event: 1 / 0)
                assert self.told(self.send(peer.url)) == [(OutcomeKind.AMBIGUOUS, "connection_dropped")]
            assert self.kinds(self.send(peer.url)) == [OutcomeKind.ACCEPTED]
        assert (peer.count, peer.connections) == (3, 2)
