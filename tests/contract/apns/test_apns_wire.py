"""What exactly goes to Apple, judged by a simulator that checks it as Apple does."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic, time

import httpx
import jwt
import pytest
from msgspec import structs

from apps.channels import apns_tokens
from apps.core import clock, ids
from apps.core.enums import Category, OutcomeKind
from tests.contract.apns.case import INVALID, MISCONFIGURED, REJECTED, ApnsCase
from tests.simulators import running
from tests.simulators.apns import KEY_ID, TEAM, TOPIC, ApnsSimulator


class TestOnTheWire(ApnsCase):
    def test_it_says_everything_that_apple_asks_for(self) -> None:
        expires_at = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
        with running(ApnsSimulator()) as sim:
            message = structs.replace(
                self.messages(1)[0],
                expires_at=expires_at,
                content={
                    **self.content(),
                    "badge": "3",
                    "action_url": "https://acme.test/o/1",
                    "image_url": "https://acme.test/i",
                },
            )
            (outcome,) = self.provider.send(self.account(sim.url), [message], deadline=3)
        (request,) = sim.requests
        own_id = ids.read(ids.ATTEMPT, message.reference)
        token = request.headers["authorization"].removeprefix("bearer ")
        assert {
            name: value for name, value in request.headers.items() if name not in {"authorization", ":authority"}
        } == {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/3/device/{message.address}",
            "user-agent": "notifier",
            "apns-id": str(own_id),
            "apns-topic": TOPIC,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-collapse-id": message.delivery,
            "apns-expiration": str(int(expires_at.timestamp())),
            "content-type": "application/json",
        }
        assert request.json() == {
            "aps": {
                "alert": {"title": "Your code", "body": "Your code is 4711"},
                "badge": 3,
                "sound": "default",
                "mutable-content": 1,
            },
            "reference": message.reference,
            "delivery": message.delivery,
            "action_url": "https://acme.test/o/1",
            "image_url": "https://acme.test/i",
        }
        assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": KEY_ID, "typ": "JWT"}
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims.keys() == {"iss", "iat"} and claims["iss"] == TEAM and abs(claims["iat"] - time()) < 5
        assert (outcome.kind, outcome.provider_message_id) == (OutcomeKind.ACCEPTED, str(own_id))
        assert [(t.reference, t.delivery, t.address) for t in sim.taken] == [
            (message.reference, message.delivery, message.address)
        ]

    @pytest.mark.parametrize(
        ("category", "priority", "sound"),
        [
            (Category.CRITICAL, "10", "default"),
            (Category.TRANSACTIONAL, "10", "default"),
            (Category.SOCIAL, "5", None),
            (Category.MARKETING, "5", None),
        ],
    )
    def test_only_what_is_urgent_wakes_the_phone(self, category: Category, priority: str, sound: str | None) -> None:
        with running(ApnsSimulator()) as sim:
            outcome, request = self.sent(sim, category=category)
        assert outcome.kind == OutcomeKind.ACCEPTED
        assert (request.headers["apns-priority"], request.json()["aps"].get("sound")) == (priority, sound)

    def test_without_an_expiry_apple_keeps_it_for_four_weeks(self) -> None:
        with running(ApnsSimulator()) as sim:
            _, request = self.sent(sim)
        assert abs(int(request.headers["apns-expiration"]) - time() - 28 * 86_400) < 5

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("order-7", "order-7"), ("x" * 64, "x" * 64), ("x" * 65, None), ("ä", None), ("ä" * 33, None)],
    )
    def test_it_collapses_by_name_within_64_bytes(self, name: str, expected: str | None) -> None:
        with running(ApnsSimulator()) as sim:
            outcome, request = self.sent(sim, content={**self.content(), "collapse_id": name})
        found = request.headers["apns-collapse-id"]
        assert outcome.kind == OutcomeKind.ACCEPTED
        assert found == expected if expected else found != name and len(found.encode()) <= 64

    def test_it_refuses_a_header_that_would_be_two(self) -> None:
        with running(ApnsSimulator()) as sim:
            account = replace(self.account(sim.url), settings={"topic": "test.acme.app\napns-priority: 10"})
            outcomes = self.provider.send(account, self.messages(2), deadline=3)
        assert self.told(outcomes) == [(REJECTED, "bad_header")] * 2
        assert sim.count == 0

    def test_it_takes_4096_bytes_and_not_one_more(self) -> None:
        with running(ApnsSimulator()) as sim:
            _, request = self.sent(sim, content={"body": ""} | {"title": "x"})
            room = 4096 - len(request.body)
            fits, _ = self.sent(sim, content={"title": "x" * (room + 1)})
            large, _ = self.sent(sim, content={"title": "x" * (room + 2)})
        assert len(sim.requests[-1].body) == 4096
        assert (fits.kind, large.kind, large.code) == (OutcomeKind.ACCEPTED, REJECTED, "untranslatable")
        assert large.detail == "The push payload has 4097 bytes; APNs takes 4096."
        assert sim.count == 2

    def test_a_message_that_says_nothing_is_not_sent_and_takes_no_other_with_it(self) -> None:
        with running(ApnsSimulator()) as sim:
            one, two = self.messages(2)
            outcomes = self.provider.send(self.account(sim.url), [structs.replace(one, content={}), two], deadline=3)
        assert self.told(outcomes) == [(REJECTED, "untranslatable"), (OutcomeKind.ACCEPTED, "")]
        assert sim.count == 1

    def test_a_token_cannot_lead_to_another_path(self) -> None:
        with running(ApnsSimulator()) as sim:
            outcome, request = self.sent(sim, address="../../x?y=1#z")
        assert request.target == "/3/device/..%2F..%2Fx%3Fy%3D1%23z"
        assert (outcome.kind, outcome.code) == (INVALID, "BadDeviceToken")

    def test_it_calls_the_host_of_its_environment(self) -> None:
        (message,) = self.messages(1)
        for environment, host in [("production", "api.push.apple.com"), ("sandbox", "api.sandbox.push.apple.com")]:
            account = replace(self.account(""), settings={"topic": TOPIC, "environment": environment})
            assert self.provider.build(account, [message]).url == f"https://{host}/3/device/{message.address}"
        account = replace(self.account(""), settings={"topic": TOPIC, "environment": "elsewhere"})
        assert self.told(self.provider.send(account, [message], deadline=1)) == [(MISCONFIGURED, "bad_url")]

    def test_apples_word_about_each_token_stays_with_it(self) -> None:
        with running(ApnsSimulator(), tls=True) as sim:
            sim.dead[self.address(0)] = 1795263600000
            sim.foreign.add(self.address(1))
            sim.busy.add(self.address(2))
            account = replace(self.account(sim.url), ca_bundle=sim.ca_bundle)
            outcomes = self.provider.send(account, self.messages(4), deadline=3)
        assert self.told(outcomes) == [
            (INVALID, "Unregistered"),
            (INVALID, "DeviceTokenNotForTopic"),
            (OutcomeKind.THROTTLED, "TooManyRequests"),
            (OutcomeKind.ACCEPTED, ""),
        ]
        assert (sim.count, sim.taken_count, sim.connections) == (4, 1, 1)

    def test_after_apples_first_yes_all_go_side_by_side(self) -> None:
        with running(ApnsSimulator()) as sim:
            sim.behave(delay=0.3)
            started = monotonic()
            outcomes = self.provider.send(self.account(sim.url), self.messages(12), deadline=8)
            took = monotonic() - started
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 12
        assert 0.6 <= took < 12 * 0.3
        assert (sim.count, sim.connections) == (12, 1)

    def test_a_plain_http_2_client_agrees_with_the_simulator(self) -> None:
        """httpx as it is: the simulator is no private language."""
        (message,) = self.messages(1)
        with running(ApnsSimulator(), tls=True) as sim:
            request = self.provider.build(self.account(sim.url), [message])
            bearer = apns_tokens.token(self.account(sim.url), clock.now())
            with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=sim.ca_bundle)) as client:
                headers = {**request.headers, "authorization": f"bearer {bearer}"}
                answer = client.post(request.url, content=request.body, headers=headers)
                without = client.post(request.url, content=request.body, headers=dict(request.headers))
        assert (answer.http_version, answer.status_code, answer.content) == ("HTTP/2", 200, b"")
        assert answer.headers["apns-id"] == request.headers["apns-id"]
        assert (without.status_code, without.json()) == (403, {"reason": "MissingProviderToken"})
