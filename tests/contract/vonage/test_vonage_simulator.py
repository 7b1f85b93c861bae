"""The provider against the simulator, and the unmodified SDK as the judge of whether the simulator is true to Vonage."""

from dataclasses import replace
from typing import Any

import jwt
import pytest
from msgspec import structs
from vonage_http_client import Auth, HttpClient, HttpClientOptions
from vonage_http_client.errors import AuthenticationError, HttpRequestError, RateLimitedError
from vonage_jwt import verify_signature
from vonage_messages import Messages
from vonage_messages.models import Sms

from apps.channels import transport
from apps.core import clock
from apps.core.enums import OutcomeKind
from apps.core.types import Account
from tests.contract.vonage.cast import VonageCase
from tests.simulators import Request, running
from tests.simulators.vonage import API_KEY, API_SECRET, APPLICATION, FAULTS, SECRET, VonageSimulator, key_pair


def sdk(simulator: VonageSimulator, **auth: str) -> Messages:
    """It speaks https only; one connection in its pool, for it repeats a POST as often as it has connections."""
    host = simulator.url.removeprefix("https://")
    options = HttpClientOptions(api_host=host, timeout=5, pool_maxsize=1, max_retries=0)
    return Messages(HttpClient(Auth(**(auth or {"api_key": API_KEY, "api_secret": API_SECRET})), options))


def sms(**changes: Any) -> Sms:
    return Sms(**({"to": "12025550000", "from_": "15005550006", "text": "Hi"} | changes))


class TestVonageSimulator(VonageCase):
    def at(self, simulator: VonageSimulator) -> Account:
        found = self.account(simulator.url)
        return replace(found, credentials=simulator.credentials, read_timeout=5.0, ca_bundle=simulator.ca_bundle)

    @pytest.fixture(autouse=True)
    def _leave_no_connection(self) -> Any:
        yield
        transport.close_connections()

    @pytest.mark.parametrize("by_jwt", [False, True])
    def test_it_sends_and_is_told_what_became_of_it(self, by_jwt: bool) -> None:
        messages = self.messages(5)
        with running(VonageSimulator(), tls=True) as simulator:
            if by_jwt:
                simulator.use_jwt()
            account = self.at(simulator)
            outcomes = self.provider.send(account, messages, deadline=10.0)
            taken = {one.reference: one for one in simulator.taken}
            calls = [simulator.receipt(one, "delivered", clock.now().timestamp()) for one in simulator.taken]
        assert [(o.kind, o.provider_message_id) for o in outcomes] == [
            (OutcomeKind.ACCEPTED, taken[m.reference].message_id) for m in messages
        ]
        assert [f"+{taken[m.reference].address}" for m in messages] == [m.address for m in messages]
        assert len(simulator.requests) == 5
        for call in calls:
            assert call is not None and call.url == self.url
            assert self.provider.verify(account, call, clock.now())
            assert not self.provider.verify(account, simulator.forged(call), clock.now())
            (receipt,) = self.provider.parse_receipts(account, call)
            assert taken[receipt.reference].message_id == receipt.provider_message_id

    def test_the_sdk_and_the_provider_write_the_same_letter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (message,) = self.messages(1)
        with running(VonageSimulator(), tls=True) as simulator:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.ca_bundle)
            self.provider.send(self.at(simulator), [structs.replace(message, ttl=60)], deadline=5.0)
            letter = sms(
                text="Your code is 4711",
                ttl=60,
                client_ref=message.reference,
                webhook_url=self.url,
                webhook_version="v1",
            )
            answer = sdk(simulator).send(letter)
        ours, theirs = simulator.requests
        assert (ours.method, ours.target, ours.json()) == (theirs.method, theirs.target, theirs.json())
        assert _told(ours) == _told(theirs)
        assert answer.message_uuid == simulator.taken[1].message_id

    def test_the_sdk_signs_as_the_provider_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with running(VonageSimulator(), tls=True) as simulator:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.ca_bundle)
            simulator.use_jwt()
            assert sdk(simulator, application_id=APPLICATION, private_key=key_pair()[0]).send(sms()).message_uuid
            self.provider.send(self.at(simulator), self.messages(1), deadline=5.0)
        theirs, ours = (jwt.get_unverified_header(r.headers["authorization"][7:]) for r in simulator.requests)
        assert ours == theirs == {"alg": "RS256", "typ": "JWT"}
        assert len(simulator.taken) == 2

    def test_the_sdk_takes_the_simulators_signatures(self) -> None:
        call, _ = self.call(clock.now())
        assert verify_signature(call.headers["authorization"].removeprefix("Bearer "), SECRET)

    def test_the_simulator_refuses_what_vonage_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with running(VonageSimulator(), tls=True) as simulator:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.ca_bundle)
            with pytest.raises(AuthenticationError):
                sdk(simulator, api_key=API_KEY, api_secret="wrong").send(sms())
            for change in ({"from_": "x" * 16}, {"text": ""}):
                with pytest.raises(HttpRequestError) as refused:
                    sdk(simulator).send(sms(**change))
                assert refused.value.response.status_code == 422
            simulator.behave(status=429, retry_after="7")
            with pytest.raises(RateLimitedError):
                sdk(simulator).send(sms())
        assert simulator.taken == []

    @pytest.mark.parametrize(("number", "code"), FAULTS.items())
    def test_it_reads_the_simulators_refusals(self, number: str, code: str) -> None:
        (message,) = self.messages(1)
        with running(VonageSimulator()) as simulator:
            (outcome,) = self.provider.send(
                self.at(simulator), [structs.replace(message, address=f"+{number}")], deadline=5.0
            )
        assert (outcome.code, outcome.kind) == (code, self.provider.kinds[code])
        assert simulator.taken == []

    @pytest.mark.parametrize(
        ("behaviour", "kind", "is_taken"),
        [
            ({"status": 429, "retry_after": "7"}, OutcomeKind.THROTTLED, False),
            ({"status": 500}, OutcomeKind.AMBIGUOUS, False),
            ({"status": 503}, OutcomeKind.PROVIDER_DOWN, False),
            ({"status": 402}, OutcomeKind.MISCONFIGURED, False),
            ({"drop": "after"}, OutcomeKind.AMBIGUOUS, True),
            ({"garbage": True}, OutcomeKind.AMBIGUOUS, True),
        ],
    )
    def test_it_makes_one_request_whatever_the_server_does(
        self, behaviour: dict[str, Any], kind: OutcomeKind, is_taken: bool
    ) -> None:
        with running(VonageSimulator()) as simulator:
            simulator.behave(**behaviour)
            (outcome,) = self.provider.send(self.at(simulator), self.messages(1), deadline=5.0)
        assert (outcome.kind, len(simulator.requests), len(simulator.taken)) == (kind, 1, int(is_taken))


def _told(request: Request) -> dict[str, str]:
    return {
        name: value for name, value in request.headers.items() if name in {"authorization", "content-type", "accept"}
    }
