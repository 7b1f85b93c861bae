"""The adapter against the simulator; the unmodified SDK as judge of the simulator, moto as a second judge of the adapter."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_string
from email.policy import SMTP
from time import sleep, time
from typing import Any

import boto3
import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ses.models import ses_backends
from msgspec import structs

from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import EventKind, OutcomeKind
from apps.core.types import Account, ProviderCall
from tests.contract.scripted import answer, scripted
from tests.contract.ses.cast import KEY, REGION, SECRET, SesCase
from tests.simulators import running, sns
from tests.simulators.ses import EVENTS, SesSimulator

ACCEPTED, THROTTLED, MISCONFIGURED = OutcomeKind.ACCEPTED, OutcomeKind.THROTTLED, OutcomeKind.MISCONFIGURED


def sdk(simulator: SesSimulator, **more: Any) -> Any:
    return boto3.client(
        "sesv2",
        region_name=REGION,
        endpoint_url=simulator.url,
        **{"aws_access_key_id": KEY, "aws_secret_access_key": SECRET} | more,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5),
    )


def raw(to: str = "rosa@example.com", sender: str = "hello@acme.test") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: Hi\r\nDate: x\r\nMIME-Version: 1.0\r\n\r\nHello\r\n".encode()


class TestSesSimulator(SesCase):
    @contextmanager
    def at(self, simulator: SesSimulator) -> Iterator[Account]:
        with running(simulator):
            account = self.account(simulator.url)
            yield replace(
                account, credentials=simulator.credentials, settings=simulator.settings, read_timeout=5.0, pool_size=16
            )

    def test_it_takes_what_the_adapter_sends(self) -> None:
        messages = self.messages(20)
        simulator = SesSimulator()
        with self.at(simulator) as account:
            outcomes = self.provider.send(account, messages, deadline=10.0)
        taken = {one.reference: one for one in simulator.taken}
        assert [(o.kind, o.provider_message_id) for o in outcomes] == [
            (ACCEPTED, taken[m.reference].message_id) for m in messages
        ]
        assert [(taken[m.reference].address, taken[m.reference].delivery) for m in messages] == [
            (m.address, m.delivery) for m in messages
        ]
        assert len(simulator.requests) == 20

    def test_it_takes_temporary_credentials(self) -> None:
        simulator = SesSimulator(token="session-token//+=")
        with self.at(simulator) as account:
            assert [o.kind for o in self.provider.send(account, self.messages(1), deadline=5.0)] == [ACCEPTED]
            lost = replace(account, credentials=self.credentials)
            assert [o.code for o in self.provider.send(lost, self.messages(1), deadline=5.0)] == [
                "UnrecognizedClientException"
            ]

    @pytest.mark.parametrize(
        ("credentials", "code"),
        [
            ({"access_key_id": KEY, "secret_access_key": "other"}, "InvalidSignatureException"),
            ({"access_key_id": "AKIAOTHER", "secret_access_key": SECRET}, "UnrecognizedClientException"),
        ],
    )
    def test_it_lets_nobody_in_with_other_keys(self, credentials: dict[str, str], code: str) -> None:
        simulator = SesSimulator()
        with self.at(simulator) as account:
            other = replace(account, credentials=credentials)
            outcomes = self.provider.send(other, self.messages(2), deadline=5.0)
        assert [(o.kind, o.code) for o in outcomes] == [(MISCONFIGURED, code)] * 2
        assert simulator.taken == []

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"sender": "Acme <hello@other.test>"}, (MISCONFIGURED, "MessageRejected")),
            ({"settings": {"configuration_set": "other"}}, (MISCONFIGURED, "NotFoundException")),
            ({"settings": {"region": "us-east-1"}}, (MISCONFIGURED, "InvalidSignatureException")),
        ],
    )
    def test_it_refuses_as_ses_does(self, changes: dict[str, Any], expected: tuple[OutcomeKind, str]) -> None:
        simulator = SesSimulator()
        with self.at(simulator) as account:
            settings = {**account.settings, **changes.get("settings", {})}
            other = replace(account, sender=changes.get("sender", account.sender), settings=settings)
            outcomes = self.provider.send(other, self.messages(1), deadline=5.0)
        assert [(o.kind, o.code) for o in outcomes] == [expected]
        assert simulator.taken == []

    def test_it_throttles_in_words_of_ses(self) -> None:
        simulator = SesSimulator()
        with self.at(simulator) as account:
            simulator.behave(rate=3)
            outcomes = self.provider.send(account, self.messages(8), deadline=5.0)
        throttled = [(o.kind, o.code, o.retry_after) for o in outcomes if o.kind != ACCEPTED]
        told, not_begun = ((THROTTLED, code, 1.0) for code in ("TooManyRequestsException", "not_begun"))
        assert {told} <= set(throttled) <= {told, not_begun}
        assert len(throttled) <= 5
        assert len(simulator.taken) == 8 - len(throttled)

    def test_it_says_how_much_it_takes(self) -> None:
        simulator = SesSimulator(rate="27")
        with self.at(simulator) as account:
            outcome = self.provider.check_credentials(account, Deadline(5, 1, 5))
            assert outcome is not None and outcome.kind == ACCEPTED
            assert self.provider.reported_rate(account, Deadline(5, 1, 5)) == 27.0
            simulator.state = {"SendingEnabled": False}
            outcome = self.provider.check_credentials(account, Deadline(5, 1, 5))
            assert outcome is not None and outcome.kind == MISCONFIGURED

    def test_its_receipts_are_verified_and_find_the_attempt(self) -> None:
        simulator = SesSimulator()
        (message,) = self.messages(1)
        with self.at(simulator) as account:
            account = replace(account, receipts_url="https://notify.acme.test/v1/receipts/acme-first")
            (outcome,) = self.provider.send(account, [message], deadline=5.0)
            taken = replace(simulator.taken[0], receipts_to=account.receipts_url)
            found = {}
            for kind in EVENTS:
                call = simulator.receipt(taken, kind, time())
                assert call is not None and self.provider.verify(account, call, clock.now())
                assert not self.provider.verify(account, simulator.forged(call), clock.now())
                (found[kind],) = self.provider.parse_receipts(account, call)
        assert {kind: str(receipt.kind) for kind, receipt in found.items()} == {kind: kind for kind in EVENTS}
        assert {(r.reference, r.provider_message_id) for r in found.values()} == {
            (message.reference, outcome.provider_message_id)
        }
        assert [request.path for request in simulator.requests].count(
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
        ) == 1

    def test_it_posts_duplicates_with_one_id_and_forgeries_that_nobody_believes(self) -> None:
        simulator = SesSimulator()
        with scripted(answer(202)) as door, self.at(simulator) as account:
            simulator.receipts_to = f"{door.url}/v1/receipts/acme-first"
            simulator.send_receipts(after=0.01, kinds=("delivered",), duplicates=1, forge=0.5)
            self.provider.send(account, self.messages(2), deadline=5.0)
            ends = time() + 5
            while len(door.requests) < 5 and time() < ends:
                sleep(0.02)
            calls = [ProviderCall(f"{door.url}{seen.path}", seen.headers, seen.body) for seen in door.requests]
            believed = [call for call in calls if self.provider.verify(account, call, clock.now())]
            ids = [self.provider.parse_receipts(account, call)[0].event_id for call in believed]
        assert (len(calls), len(believed), len(set(ids))) == (5, 4, 2)

    def test_it_confirms_the_subscription_by_itself(self) -> None:
        simulator = SesSimulator()
        with self.at(simulator) as account:
            call = sns.call(
                simulator.signer, account.receipts_url, sns.subscription(origin=simulator.url, at=clock.now())
            )
            assert self.provider.verify(account, call, clock.now())
            self.provider.acknowledge(account, call, Deadline(5, 1, 5))
        assert simulator.confirmed == [sns.TOPIC]


class TestBoto3:
    """Unmodified, against the simulator."""

    def test_it_sends(self) -> None:
        with running(SesSimulator()) as simulator:
            answered = sdk(simulator).send_email(
                Content={"Raw": {"Data": raw()}}, Destination={"ToAddresses": ["rosa@example.com"]}
            )
        assert [one.message_id for one in simulator.taken] == [answered["MessageId"]]

    def test_it_asks_for_the_account(self) -> None:
        with running(SesSimulator()) as simulator:
            quota = sdk(simulator).get_account()["SendQuota"]
        assert (quota["MaxSendRate"], quota["Max24HourSend"]) == (14.0, 50_000.0)

    @pytest.mark.parametrize(
        ("more", "parameters", "code"),
        [
            ({"aws_secret_access_key": "other"}, {}, "InvalidSignatureException"),
            ({"aws_access_key_id": "AKIAOTHER"}, {}, "UnrecognizedClientException"),
            ({}, {"Content": {"Raw": {"Data": raw(sender="hello@other.test")}}}, "MessageRejected"),
            ({}, {"ConfigurationSetName": "other"}, "NotFoundException"),
            ({}, {"Destination": {"ToAddresses": [f"rosa{n}@example.com" for n in range(51)]}}, "BadRequestException"),
            ({}, {"Destination": {"ToAddresses": ["rösa@example.com"]}}, "BadRequestException"),
            ({}, {"EmailTags": [{"Name": "a b", "Value": "c"}]}, "BadRequestException"),
            ({}, {"Content": {"Raw": {"Data": b"x" * (31 * 1024 * 1024)}}}, "BadRequestException"),
            ({}, {"Content": {"Raw": {"Data": b"nothing"}}}, "BadRequestException"),
        ],
    )
    def test_it_reads_the_refusals(self, more: dict[str, Any], parameters: dict[str, Any], code: str) -> None:
        said = {"Content": {"Raw": {"Data": raw()}}, "Destination": {"ToAddresses": ["rosa@example.com"]}} | parameters
        with running(SesSimulator()) as simulator, pytest.raises(ClientError) as caught:
            sdk(simulator, **more).send_email(**said)
        assert caught.value.response["Error"]["Code"] == code
        assert simulator.taken == []

    def test_it_knows_the_throttle(self) -> None:
        with running(SesSimulator()) as simulator, pytest.raises(ClientError) as caught:
            simulator.behave(status=429)
            sdk(simulator).send_email(
                Content={"Raw": {"Data": raw()}}, Destination={"ToAddresses": ["rosa@example.com"]}
            )
        assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


@pytest.mark.filterwarnings("default::DeprecationWarning")
class TestMoto(SesCase):
    """moto stands in for Amazon beneath `requests`, which our transport uses: nothing of ours is changed."""

    def test_it_lands_in_motos_store(self) -> None:
        (message,) = self.messages(1)
        message = structs.replace(message, content={**message.content, "unsubscribe_url": "https://acme.test/u/abc"})
        with mock_aws():
            client = boto3.client("ses", region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET)
            client.verify_domain_identity(Domain="acme.test")
            (outcome,) = self.provider.send(self.account(""), [message], deadline=5.0)
            store = ses_backends["123456789012"][REGION].sent_messages
            (kept,) = store
        assert (outcome.kind, outcome.provider_message_id) == (ACCEPTED, kept.id)
        assert kept.source == "hello@acme.test"
        assert set(kept.destinations) == {message.address}
        found = message_from_string(kept.raw_data, policy=SMTP)
        assert found["X-Notifier-Reference"] == message.reference
        assert found["List-Unsubscribe"] == "<https://acme.test/u/abc>"

    def test_moto_refuses_a_sender_that_nobody_verified(self) -> None:
        with mock_aws():
            (outcome,) = self.provider.send(self.account(""), self.messages(1), deadline=5.0)
            assert ses_backends["123456789012"][REGION].sent_messages == []
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "MessageRejected")


def test_the_events_are_named_as_ours() -> None:
    assert set(EVENTS) <= {str(kind) for kind in EventKind}
    assert json.loads(msgspec.json.encode(EVENTS))
