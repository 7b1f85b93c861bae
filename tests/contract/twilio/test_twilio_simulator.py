"""The provider against the simulator, and the unmodified SDK as the judge of whether the simulator is true to Twilio."""

from dataclasses import replace
from datetime import timedelta
from time import sleep
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from msgspec import structs
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from apps.channels import transport
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import OutcomeKind
from apps.core.types import Account
from tests.contract.twilio.cast import TwilioCase
from tests.simulators import Request, running
from tests.simulators.twilio import FROM, KEY, NUMBER, SECRET, SID, TO, TOKEN, TwilioSimulator


def soon() -> Deadline:
    return Deadline(5.0, 1.0, 5.0)


class _Here(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's own client, at another address: there is no setting for that."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=5.0)
        self.base = base

    def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base), *more, **named)


def sdk(simulator: TwilioSimulator, username: str = SID, password: str = TOKEN) -> Client:
    return Client(username, password, SID, http_client=_Here(simulator.url))


class TestTwilioSimulator(TwilioCase):
    def at(self, simulator: TwilioSimulator) -> Account:
        return replace(self.account(simulator.url), read_timeout=5.0, ca_bundle=simulator.ca_bundle)

    def test_it_sends_and_is_told_what_became_of_it(self) -> None:
        messages = self.messages(5)
        with running(TwilioSimulator()) as simulator:
            account = replace(self.at(simulator), receipts_url="http://127.0.0.1:9/v1/receipts/acme")
            outcomes = self.provider.send(account, messages, deadline=10.0)
            taken = {one.reference: one for one in simulator.taken}
            calls = [simulator.receipt(one, "delivered", 0) for one in simulator.taken]
        assert [(o.kind, o.provider_message_id) for o in outcomes] == [
            (OutcomeKind.ACCEPTED, taken[m.reference].message_id) for m in messages
        ]
        assert [taken[m.reference].address for m in messages] == [m.address for m in messages]
        assert len(simulator.requests) == 5
        for call in calls:
            assert call is not None and self.provider.verify(account, call, clock.now())
            assert not self.provider.verify(account, simulator.forged(call), clock.now())
            (receipt,) = self.provider.parse_receipts(account, call)
            assert taken[receipt.reference].message_id == receipt.provider_message_id
        transport.close_connections()

    def test_it_speaks_tls_to_the_bundle_of_the_account(self) -> None:
        with running(TwilioSimulator(), tls=True) as simulator:
            (outcome,) = self.provider.send(self.at(simulator), self.messages(1), deadline=10.0)
            stranger = replace(self.at(simulator), ca_bundle="", id=uuid4())
            (refused,) = self.provider.send(stranger, self.messages(1), deadline=10.0)
        assert (outcome.kind, refused.kind, refused.code) == (OutcomeKind.ACCEPTED, OutcomeKind.PROVIDER_DOWN, "tls")
        assert len(simulator.taken) == 1
        transport.close_connections()

    @pytest.mark.parametrize(("number", "code"), TO.items())
    def test_the_magic_numbers_mean_the_same_to_both(self, number: str, code: int) -> None:
        (message,) = self.messages(1)
        with running(TwilioSimulator()) as simulator:
            (outcome,) = self.provider.send(
                self.at(simulator), [structs.replace(message, address=number)], deadline=5.0
            )
            with pytest.raises(TwilioRestException) as refused:
                sdk(simulator).messages.create(to=number, from_=NUMBER, body="Hi")
        assert (outcome.code, refused.value.code) == (str(code), code)
        assert simulator.taken == []
        transport.close_connections()

    @pytest.mark.parametrize(("sender", "code"), FROM.items())
    def test_so_do_the_magic_senders(self, sender: str, code: int) -> None:
        with running(TwilioSimulator()) as simulator:
            account = replace(self.at(simulator), sender=sender)
            (outcome,) = self.provider.send(account, self.messages(1), deadline=5.0)
            with pytest.raises(TwilioRestException) as refused:
                sdk(simulator).messages.create(to="+12025550000", from_=sender, body="Hi")
        assert (outcome.code, refused.value.code) == (str(code), code)
        transport.close_connections()

    def test_the_sdk_and_the_provider_write_the_same_letter(self) -> None:
        (message,) = self.messages(1)
        with running(TwilioSimulator()) as simulator:
            account = replace(self.at(simulator), settings={"smart_encoded": True})
            self.provider.send(account, [structs.replace(message, ttl=60)], deadline=5.0)
            made = sdk(simulator).messages.create(
                to=message.address,
                from_=NUMBER,
                body="Your code is 4711",
                status_callback=f"{account.receipts_url}?reference={message.reference}#rc=5&rp=5xx,ct,rt",
                validity_period=60,
                smart_encoded=True,
            )
            listed = sdk(simulator).messages.list(to=message.address)
        ours, theirs = simulator.requests[:2]
        assert (ours.method, ours.target, ours.form()) == (theirs.method, theirs.target, theirs.form())
        assert _told(ours) == _told(theirs)
        assert (made.sid, made.status, made.to) == (simulator.taken[1].message_id, "queued", message.address)
        assert [one.sid for one in listed] == [one.message_id for one in reversed(simulator.taken)]
        assert {one.body for one in listed} == {"Your code is 4711"}
        assert all(one.date_created is not None for one in listed)
        transport.close_connections()

    def test_the_sdk_takes_the_simulators_signatures(self) -> None:
        call, _ = self.call(clock.now())
        signature = call.headers["x-twilio-signature"]
        form = dict(pair.split("=", 1) for pair in call.body.decode().replace("%2B", "+").split("&"))
        assert RequestValidator(TOKEN).validate(call.url, form, signature)

    def test_the_simulator_refuses_what_twilio_refuses(self) -> None:
        wrong: list[tuple[dict[str, Any], int]] = [
            ({"to": "12025550000"}, 21211),
            ({"from_": None}, 21603),
            ({"from_": "not a sender at all"}, 21212),
            ({"from_": "+12025550000"}, 21266),
            ({"body": None}, 21619),
            ({"body": "x" * 1601}, 21617),
            ({"validity_period": 36001}, 20001),
            ({"status_callback": "https://my_host.test/x"}, 21609),
            ({"status_callback": "nonsense"}, 21609),
        ]
        with running(TwilioSimulator()) as simulator:
            for change, code in wrong:
                with pytest.raises(TwilioRestException) as refused:
                    plain = {"to": "+12025550000", "from_": NUMBER, "body": "Hi"}
                    sdk(simulator).messages.create(**(plain | change))
                assert (refused.value.status, refused.value.code) == (400, code), change
            assert sdk(simulator, KEY, SECRET).messages.create(to="+12025550000", from_=NUMBER, body="Hi").sid
            with pytest.raises(TwilioRestException) as refused:
                sdk(simulator, SID, "wrong").messages.create(to="+12025550000", from_=NUMBER, body="Hi")
            assert (refused.value.status, refused.value.code) == (401, 20003)
        assert len(simulator.taken) == 1

    @pytest.mark.parametrize(
        ("behaviour", "kind", "is_taken"),
        [
            ({"status": 429, "retry_after": "7"}, OutcomeKind.THROTTLED, False),
            ({"status": 500}, OutcomeKind.AMBIGUOUS, False),
            ({"status": 503}, OutcomeKind.PROVIDER_DOWN, False),
            ({"drop": "after"}, OutcomeKind.AMBIGUOUS, True),
            ({"garbage": True}, OutcomeKind.AMBIGUOUS, True),
            ({"ban": True}, OutcomeKind.ACCEPTED, True),
        ],
    )
    def test_it_makes_one_request_whatever_the_server_does(
        self, behaviour: dict[str, Any], kind: OutcomeKind, is_taken: bool
    ) -> None:
        with running(TwilioSimulator()) as simulator:
            simulator.behave(**behaviour)
            (outcome,) = self.provider.send(self.at(simulator), self.messages(1), deadline=5.0)
        assert (outcome.kind, len(simulator.requests), len(simulator.taken)) == (kind, 1, int(is_taken))
        assert outcome.retry_after == (7.0 if "retry_after" in behaviour else None)
        transport.close_connections()

    def test_it_finds_what_was_taken_without_an_answer(self) -> None:
        (lost,) = self.messages(1)
        since = clock.now()
        with running(TwilioSimulator()) as simulator:
            simulator.behave(drop="after", requests=1)
            (outcome,) = self.provider.send(self.at(simulator), [lost], deadline=5.0)
            found = self.provider.look_up(self.at(simulator), lost, since, soon())
            never = structs.replace(lost, address=self.address(9))
            absent = self.provider.look_up(self.at(simulator), never, since - timedelta(minutes=2), soon())
        assert outcome.kind == OutcomeKind.AMBIGUOUS
        assert (found, absent) == (simulator.taken[0].message_id, "")
        transport.close_connections()

    def test_it_asks_whether_twilio_knows_us(self) -> None:
        with running(TwilioSimulator()) as simulator:
            account = self.at(simulator)
            known = self.provider.check_credentials(account, soon())
            wrong = {"account_sid": SID, "auth_token": "wrong"}
            refused = self.provider.check_credentials(replace(account, credentials=wrong), soon())
            nothing = self.provider.check_credentials(replace(account, credentials={}), soon())
        transport.close_connections()
        down = self.provider.check_credentials(account, soon())
        assert known is not None and known.kind == OutcomeKind.ACCEPTED
        assert refused is not None and (refused.kind, refused.code) == (OutcomeKind.MISCONFIGURED, "20003")
        assert nothing is not None and nothing.code == "no_credentials"
        assert down is not None and down.kind == OutcomeKind.PROVIDER_DOWN
        assert simulator.taken == []

    def test_receipts_find_the_door_by_themselves(self) -> None:
        with running(TwilioSimulator()) as simulator, running(TwilioSimulator()) as door:
            simulator.send_receipts(after=0.01, kinds=("sent", "delivered"), duplicates=1)
            account = replace(self.at(simulator), receipts_url=f"{door.url}/v1/receipts/acme-first")
            (message,) = messages = self.messages(1)
            self.provider.send(account, messages, deadline=5.0)
            for _ in range(200):
                if len(door.requests) >= 4:
                    break
                sleep(0.01)
        assert len(door.requests) >= 4
        assert {urlsplit(r.url).query for r in door.requests} == {f"reference={message.reference}"}
        transport.close_connections()


def _told(request: Request) -> dict[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name in {"authorization", "content-type", "accept", "accept-charset", "user-agent", "x-twilio-client"}
    }
