"""APNs against Apple's documented reasons."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest

from apps.channels.breaking import tally
from apps.core.enums import OutcomeKind
from tests.contract.apns.case import INVALID, MISCONFIGURED, REJECTED, ApnsCase
from tests.contract.http2_conformance import Http2Conformance
from tests.contract.http2_interruptions import Http2Interruptions
from tests.simulators import Reply, Request, running

# Handling notification responses from APNs, table 2; and reasons that Apple sends without listing them there
REASONS: list[tuple[int, str, OutcomeKind]] = [
    (400, "BadCollapseId", REJECTED),
    (400, "BadDeviceToken", INVALID),
    (400, "BadExpirationDate", REJECTED),
    (400, "BadMessageId", REJECTED),
    (400, "BadPriority", REJECTED),
    (400, "BadTopic", MISCONFIGURED),
    (400, "DeviceTokenNotForTopic", INVALID),
    (400, "DuplicateHeaders", REJECTED),
    (400, "IdleTimeout", OutcomeKind.PROVIDER_DOWN),
    (400, "InvalidPushType", REJECTED),
    (400, "MissingDeviceToken", REJECTED),
    (400, "MissingTopic", MISCONFIGURED),
    (400, "PayloadEmpty", REJECTED),
    (400, "TopicDisallowed", MISCONFIGURED),
    (403, "BadCertificate", MISCONFIGURED),
    (403, "BadCertificateEnvironment", MISCONFIGURED),
    (403, "ExpiredProviderToken", OutcomeKind.THROTTLED),
    (403, "Forbidden", MISCONFIGURED),
    (403, "InvalidProviderToken", MISCONFIGURED),
    (403, "MissingProviderToken", MISCONFIGURED),
    (403, "UnrelatedKeyIdInToken", MISCONFIGURED),
    (403, "BadEnvironmentKeyIdInToken", MISCONFIGURED),
    (404, "BadPath", MISCONFIGURED),
    (405, "MethodNotAllowed", MISCONFIGURED),
    (410, "ExpiredToken", INVALID),
    (410, "Unregistered", INVALID),
    (413, "PayloadTooLarge", REJECTED),
    (429, "TooManyProviderTokenUpdates", OutcomeKind.THROTTLED),
    (429, "TooManyRequests", OutcomeKind.THROTTLED),
    (500, "InternalServerError", OutcomeKind.TRANSIENT),
    (503, "ServiceUnavailable", OutcomeKind.PROVIDER_DOWN),
    (503, "Shutdown", OutcomeKind.PROVIDER_DOWN),
    (400, "SomethingNewOfApples", REJECTED),
]


class TestApns(ApnsCase, Http2Conformance, Http2Interruptions):
    refusals: ClassVar[list[tuple[int, bytes, OutcomeKind]]] = [
        (status, msgspec.json.encode({"reason": reason}), kind) for status, reason, kind in REASONS
    ]

    def accepted(self, request: Request) -> tuple[Reply, str]:
        return Reply(200, headers={"apns-id": request.headers["apns-id"]}), request.headers["apns-id"]

    def test_it_knows_every_reason_that_is_in_its_table(self) -> None:
        assert set(self.provider.kinds) <= {reason for _, reason, _ in REASONS}

    @pytest.mark.parametrize("body", [b'{"reason": 7}', b'{"other": 1}', b"[1]"])
    def test_it_goes_by_the_status_when_the_reason_is_unreadable(self, body: bytes) -> None:
        with running(self.peer(Reply(403, body))) as peer:
            assert self.told(self.send(peer.url)) == [(MISCONFIGURED, "403")]

    def test_it_says_since_when_a_token_is_dead(self) -> None:
        body = b'{"reason": "Unregistered", "timestamp": 1795263600123}'
        with running(self.peer(Reply(410, body))) as peer:
            (outcome,) = self.send(peer.url)
        assert (outcome.kind, outcome.code) == (INVALID, "Unregistered")
        assert outcome.dead_since == datetime(2026, 11, 21, 12, 20, 0, 123000, tzinfo=UTC)

    def test_it_says_that_a_bad_token_is_dead_now(self) -> None:
        with running(self.peer(Reply(400, b'{"reason": "BadDeviceToken"}'))) as peer:
            (outcome,) = self.send(peer.url)
        assert (outcome.kind, outcome.dead_since) == (INVALID, None)

    def test_it_blames_the_account_when_token_after_token_is_bad(self) -> None:
        with running(self.peer(Reply(400, b'{"reason": "BadDeviceToken"}'))) as peer:
            outcomes = self.send(peer.url, 8)
        assert sorted(self.kinds(outcomes)) == [INVALID] * 5 + [MISCONFIGURED] * 3

    def test_it_does_not_take_the_id_of_another_message_for_a_yes(self) -> None:
        with running(self.peer(Reply(200, headers={"apns-id": str(UUID(int=7))}))) as peer:
            assert self.told(self.send(peer.url)) == [(OutcomeKind.AMBIGUOUS, "answer_unreadable")]

    def test_it_does_not_take_a_yes_with_a_text_for_one(self) -> None:
        with running(self.peer()) as peer:
            peer.answer = lambda request: replace(self.accepted(request)[0], body=b"<html>")
            assert self.told(self.send(peer.url)) == [(OutcomeKind.AMBIGUOUS, "answer_unreadable")]

    def test_one_busy_device_waits_by_itself(self) -> None:
        def answer(request: Request) -> Reply:
            is_busy = self.address(1) in request.target
            return Reply(429, b'{"reason": "TooManyRequests"}') if is_busy else self.accepted(request)[0]

        with running(self.peer()) as peer:
            peer.answer = answer
            outcomes = self.send(peer.url, 3)
        assert [(o.kind, o.retry_after) for o in outcomes] == [
            (OutcomeKind.ACCEPTED, None),
            (OutcomeKind.THROTTLED, 30.0),
            (OutcomeKind.ACCEPTED, None),
        ]
        alone = self.provider.throttled_alone
        assert tally(outcomes, firsts=3, batch=1, slow_seconds=0, alone=alone).throttled == 0
        assert tally(outcomes, firsts=3, batch=1, slow_seconds=0).throttled == 30
