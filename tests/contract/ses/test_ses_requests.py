"""What SES's own SDK would send, and what an account is told about itself."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config

from apps.channels import aws
from apps.channels.base import NotSentError
from apps.channels.deadlines import Deadline
from apps.channels.providers import ses
from apps.core.enums import OutcomeKind
from apps.core.types import OutboundMessage
from tests.contract.scripted import answer, scripted
from tests.contract.ses.cast import KEY, REGION, SECRET, SesCase, said

MISCONFIGURED, DOWN = OutcomeKind.MISCONFIGURED, OutcomeKind.PROVIDER_DOWN


def soon() -> Deadline:
    return Deadline(2.0, 1.0, 1.0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class TestTheSdk(SesCase):
    """What botocore's inner doors give us is what an unmodified client sends: fails when a new version changes them."""

    def parameters(self, message: OutboundMessage) -> dict[str, Any]:
        return dict(ses._parameters(self.account(""), message))

    @pytest.mark.parametrize("token", ["", "session-token"])
    def test_it_makes_the_request_that_boto3_makes(self, token: str) -> None:
        noted: list[Any] = []
        client = boto3.client(
            "sesv2",
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            aws_session_token=token or None,
            config=Config(retries={"total_max_attempts": 1}),
        )

        def note(request: Any, **_: Any) -> Any:
            noted.append(request)
            raise RuntimeError("seen")

        client.meta.events.register("before-send.sesv2", note)
        parameters = self.parameters(self.messages(1)[0])
        with pytest.raises(RuntimeError, match="seen"):
            client.send_email(**parameters)
        credentials = self.credentials | ({"session_token": token} if token else {})
        account = replace(self.account(""), credentials=credentials)
        ours = aws.signed(account, "sesv2", aws.operation(account, "sesv2", "SendEmail", parameters))
        (theirs,) = noted
        assert (ours.method, ours.url) == (theirs.method, theirs.url)
        assert json.loads(ours.body) == json.loads(theirs.body)
        assert ours.headers.get("X-Amz-Security-Token", "") == token
        assert all(
            ours.headers[name] == _text(theirs.headers[name])
            for name in {"Content-Type", "X-Amz-Security-Token"} & set(ours.headers)
        )
        scope = f"Credential={KEY}/{datetime.now(UTC):%Y%m%d}/{REGION}/ses/aws4_request"
        assert scope in ours.headers["Authorization"]
        assert scope in _text(theirs.headers["Authorization"])

    def test_it_raises_for_what_the_model_does_not_know(self) -> None:
        with pytest.raises(Exception, match="Unknown parameter"):
            aws.operation(self.account(""), "sesv2", "SendEmail", {"Contents": {}})


class TestCredentials(SesCase):
    def asked(self, status: int, body: bytes) -> tuple[Any, Any]:
        with scripted(answer(status, body)) as server:
            account = self.account(server.url)
            outcome = self.provider.check_credentials(account, soon())
            rate = self.provider.reported_rate(account, soon())
        assert [(seen.method, seen.path, seen.body) for seen in server.requests] == [
            ("GET", "/v2/email/account", b"")
        ] * 2
        return outcome and (outcome.kind, outcome.code), rate

    def test_it_reports_the_rate_that_it_is_given(self) -> None:
        state = {"SendingEnabled": True, "ProductionAccessEnabled": True, "SendQuota": {"MaxSendRate": 14.0}}
        assert self.asked(200, json.dumps(state).encode()) == ((OutcomeKind.ACCEPTED, ""), 14.0)

    def test_it_says_what_stands_in_the_way(self) -> None:
        assert self.asked(200, b'{"SendingEnabled": false}') == ((MISCONFIGURED, "sending_paused"), None)
        assert self.asked(200, b'{"EnforcementStatus": "SHUTDOWN"}') == ((MISCONFIGURED, "sending_paused"), None)
        sandbox = b'{"ProductionAccessEnabled": false, "SendQuota": {"MaxSendRate": 1.0}}'
        assert self.asked(200, sandbox) == ((MISCONFIGURED, "ses_sandbox"), 1.0)
        assert self.asked(403, said("UnrecognizedClientException")) == (
            (MISCONFIGURED, "UnrecognizedClientException"),
            None,
        )
        assert self.asked(503, b"") == ((DOWN, "503"), None)
        assert self.asked(200, b"<html>") == ((DOWN, "answer_unreadable"), None)

    def test_it_cannot_tell_with_a_key_that_may_only_send(self) -> None:
        assert self.asked(403, said("AccessDeniedException", "not authorized to perform ses:GetAccount")) == (
            None,
            None,
        )

    def test_it_asks_nobody_without_credentials(self) -> None:
        account = replace(self.account(""), credentials={})
        outcome = self.provider.check_credentials(account, soon())
        assert outcome is not None and (outcome.kind, outcome.code) == (MISCONFIGURED, "no_credentials")
        assert self.provider.reported_rate(account, soon()) is None
        with pytest.raises(NotSentError):
            aws.signed(account, "sesv2", self.provider.build(account, self.messages(1)))
