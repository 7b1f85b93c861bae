"""The SMTP provider against a relay that takes, refuses, drops and hangs."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, sleep
from typing import ClassVar

import pytest
from msgspec import structs

from apps.core.enums import Channel, OutcomeKind
from apps.core.types import Account, OutboundMessage, Outcome
from tests.contract.conformance import SECRET_WORDS, ProviderCase
from tests.contract.smtp.relay import relay

ACCEPTED = OutcomeKind.ACCEPTED
DOWN = OutcomeKind.PROVIDER_DOWN


@contextmanager
def speaking(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what the script says to its first caller."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                try:
                    script(peer)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


class TestSmtp(ProviderCase):
    name = "smtp"
    channel = Channel.EMAIL
    settings: ClassVar[dict[str, object]] = {"security": "none", "helo": "acme.test"}

    def outcomes(self, url: str, messages: list[OutboundMessage], account: Account | None = None) -> list[Outcome]:
        return self.provider.send(account or self.account(url), messages, deadline=2.0)

    def test_it_sends_a_batch_over_one_connection_with_one_recipient_each(self) -> None:
        messages = self.messages(3)
        with relay() as server:
            outcomes = self.outcomes(server.url, messages)
        assert [o.kind for o in outcomes] == [ACCEPTED] * 3
        assert [o.provider_message_id for o in outcomes] == [f"<{m.delivery}@acme.test>" for m in messages]
        assert server.envelopes == [("hello@acme.test", [f"rosa{n}@example.com"]) for n in range(3)]
        assert server.connections == 1

    def test_it_writes_text_and_html_with_ids_of_ours(self) -> None:
        (message,) = self.messages(1)
        with relay() as server:
            self.outcomes(server.url, [message])
        (mail,) = server.taken
        assert mail["Subject"] == "Your code"
        assert mail["From"] == "Acme <hello@acme.test>"
        assert mail["To"] == "rosa0@example.com"
        assert mail["Message-ID"] == f"<{message.delivery}@acme.test>"
        assert mail["X-Notifier-Reference"] == message.reference
        assert mail["Date"]
        assert mail["List-Unsubscribe"] is None
        assert mail.get_content_type() == "multipart/alternative"
        assert [(part.get_content_type(), part.get_content().strip()) for part in mail.iter_parts()] == [
            ("text/plain", "Your code is 4711"),
            ("text/html", "<p>Your code is 4711</p>"),
        ]

    def test_it_offers_one_click_unsubscribing(self) -> None:
        (message,) = self.messages(1)
        link = {"unsubscribe_url": "https://acme.test/u/abc"}
        with relay() as server:
            self.outcomes(server.url, [structs.replace(message, content={**message.content, **link})])
        (mail,) = server.taken
        assert mail["List-Unsubscribe"] == "<https://acme.test/u/abc>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            ("550 5.1.1 <rosa1@example.com>: no such user", OutcomeKind.INVALID_ADDRESS),
            ("551 user not local", OutcomeKind.INVALID_ADDRESS),
            ("550 5.2.1 mailbox disabled", OutcomeKind.INVALID_ADDRESS),
            ("550 5.1.10 null MX", OutcomeKind.INVALID_ADDRESS),
            ("552 5.2.2 mailbox full", OutcomeKind.TRANSIENT),
            ("552 mailbox full", OutcomeKind.TRANSIENT),
            ("552 5.3.4 too big", OutcomeKind.REJECTED),
            ("550 5.7.1 blocked by policy", OutcomeKind.REJECTED),
            ("550 no", OutcomeKind.REJECTED),
            ("554 5.7.1 spam", OutcomeKind.REJECTED),
            ("450 4.2.0 greylisted", OutcomeKind.TRANSIENT),
            ("451 later", OutcomeKind.TRANSIENT),
            ("452 4.5.3 too many recipients", OutcomeKind.TRANSIENT),
            ("454 4.7.0 too fast", OutcomeKind.THROTTLED),
            ("530 5.7.0 log in first", OutcomeKind.MISCONFIGURED),
        ],
    )
    def test_it_loses_no_neighbour_to_a_refused_recipient(self, reply: str, kind: OutcomeKind) -> None:
        with relay(on_recipient={"rosa1@example.com": reply}) as server:
            outcomes = self.send(server.url, 3)
        assert [o.kind for o in outcomes] == [ACCEPTED, kind, ACCEPTED]
        assert outcomes[1].code == " ".join(part for part in reply.split()[:2] if part[0].isdigit())
        assert not any(word in f"{outcomes[1].detail} {outcomes[1].exchange}" for word in SECRET_WORDS)
        assert len(server.taken) == 2

    def test_it_reads_a_refusal_of_the_content(self) -> None:
        with relay(on_data={"rosa0@example.com": "554 5.6.0 no", "rosa1@example.com": "451 4.3.0 later"}) as server:
            outcomes = self.send(server.url, 3)
        assert [o.kind for o in outcomes] == [OutcomeKind.REJECTED, OutcomeKind.TRANSIENT, ACCEPTED]

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            ("550 5.1.1 who", OutcomeKind.MISCONFIGURED),
            ("553 not your address", OutcomeKind.MISCONFIGURED),
            ("552 5.3.4 too big", OutcomeKind.REJECTED),
            ("451 4.3.0 later", OutcomeKind.TRANSIENT),
        ],
    )
    def test_it_never_blames_the_recipient_for_a_refused_sender(self, reply: str, kind: OutcomeKind) -> None:
        with relay(on_mail=reply) as server:
            assert [o.kind for o in self.send(server.url, 2)] == [kind, kind]

    def test_it_doubts_only_what_was_written_when_the_relay_drops_after_data(self) -> None:
        with relay(on_data={"rosa1@example.com": "drop"}) as server:
            outcomes = self.send(server.url, 4)
        assert [o.kind for o in outcomes] == [ACCEPTED, OutcomeKind.AMBIGUOUS, DOWN, DOWN]
        assert len(server.taken) == 2
        assert server.connections == 1

    def test_it_doubts_what_was_written_when_the_relay_hangs_after_data(self) -> None:
        with relay(on_data={"rosa0@example.com": "hang"}) as server:
            started = monotonic()
            outcomes = self.send(server.url, 2)
            took = monotonic() - started
        assert [o.kind for o in outcomes] == [OutcomeKind.AMBIGUOUS, DOWN]
        assert took < 5
        assert len(server.taken) == 1

    @pytest.mark.parametrize("reply", ["drop", "hang"])
    def test_it_knows_that_nothing_was_sent_before_data(self, reply: str) -> None:
        with relay(on_recipient={"rosa1@example.com": reply}) as server:
            outcomes = self.send(server.url, 3)
        assert [o.kind for o in outcomes] == [ACCEPTED, DOWN, DOWN]
        assert len(server.taken) == 1

    def test_it_says_down_after_the_relay_said_421(self) -> None:
        with relay(on_recipient={"rosa0@example.com": "421 4.3.2 shutting down"}) as server:
            outcomes = self.send(server.url, 2)
        assert [o.kind for o in outcomes] == [OutcomeKind.TRANSIENT, DOWN]
        assert server.taken == []

    def test_it_says_down_when_the_connection_is_refused(self) -> None:
        with relay() as server:
            url = server.url
        assert [(o.kind, o.code) for o in self.send(url, 2)] == [(DOWN, "connect_refused")] * 2

    def test_it_says_down_when_nobody_greets(self) -> None:
        with speaking(lambda peer: bool(peer.recv(1)) and None) as url:
            started = monotonic()
            assert [(o.kind, o.code) for o in self.send(url)] == [(DOWN, "connection_dropped")]
            assert monotonic() - started < 5

    def test_it_keeps_the_deadline_when_the_greeting_drips(self) -> None:
        def drip(peer: socket.socket) -> None:
            for letter in b"220 " + b"x" * 200:
                peer.sendall(bytes([letter]))
                sleep(0.05)

        with speaking(drip) as url:
            started = monotonic()
            outcomes = self.provider.send(self.account(url), self.messages(1), deadline=0.6)
            took = monotonic() - started
        assert [o.kind for o in outcomes] == [DOWN]
        assert took < 5

    def test_it_refuses_to_go_without_tls_unless_told_to(self) -> None:
        with relay() as server:
            account = replace(self.account(server.url), settings={"helo": "acme.test"})
            outcomes = self.outcomes(server.url, self.messages(2), account)
        assert [(o.kind, o.code) for o in outcomes] == [(OutcomeKind.MISCONFIGURED, "not_supported")] * 2
        assert server.taken == []

    def test_it_says_down_when_tls_fails(self) -> None:
        with relay() as server:
            account = replace(self.account(server.url.replace("smtp", "smtps")), settings={})
            assert [(o.kind, o.code) for o in self.outcomes("", self.messages(1), account)] == [(DOWN, "tls")]

    @pytest.mark.parametrize(("password", "kind"), [("right", ACCEPTED), ("wrong", OutcomeKind.MISCONFIGURED)])
    def test_it_logs_in(self, password: str, kind: OutcomeKind) -> None:
        with relay(with_login=True) as server:
            account = replace(self.account(server.url), credentials={"username": "acme", "password": password})
            assert [o.kind for o in self.outcomes("", self.messages(1), account)] == [kind]
        assert set(server.logins) == {"acme"}
        assert len(server.taken) == (1 if password == "right" else 0)

    def test_it_says_misconfigured_when_a_login_is_missing(self) -> None:
        with relay(on_mail="530 5.7.0 log in first") as server:
            assert [o.kind for o in self.send(server.url)] == [OutcomeKind.MISCONFIGURED]

    @pytest.mark.parametrize("url", ["", "mail.acme.test", "http://mail.acme.test", "smtp://mail.acme.test:x"])
    def test_it_says_misconfigured_when_the_url_is_none(self, url: str) -> None:
        assert [(o.kind, o.code) for o in self.send(url)] == [(OutcomeKind.MISCONFIGURED, "bad_url")]

    @pytest.mark.parametrize(
        "changes",
        [
            {"content": {"subject": "Hi\r\nBcc: otto@example.com", "text": "x"}},
            {"address": "rosa@example.com\r\nBcc: otto@example.com"},
            {"address": "rosa@example.com, otto@example.com"},
            {"sender": "Acme\nX: y <hello@acme.test>"},
            {"content": {"subject": "Hi", "text": "x", "unsubscribe_url": "https://acme.test\nX: y"}},
        ],
    )
    def test_it_refuses_line_breaks_and_second_addresses(self, changes: dict[str, object]) -> None:
        first, second = self.messages(2)
        with relay() as server:
            outcomes = self.outcomes(server.url, [structs.replace(first, **changes), second])  # type: ignore[arg-type]
        assert [o.kind for o in outcomes] == [OutcomeKind.REJECTED, ACCEPTED]
        assert [envelope[1] for envelope in server.envelopes] == [["rosa1@example.com"]]

    def test_it_sends_lines_with_dots_unchanged(self) -> None:
        (message,) = self.messages(1)
        text = "first\n.\n..second\n"
        with relay() as server:
            self.outcomes(server.url, [structs.replace(message, content={"subject": "Dots", "text": text})])
        assert server.taken[0].get_content().splitlines() == text.splitlines()
