"""Provider tokens: signed seldom, replaced when Apple says so, and never at a message's expense."""

from dataclasses import replace
from datetime import timedelta
from time import time

import pytest

from apps.channels import apns_tokens
from apps.channels.deadlines import Deadline
from apps.core import clock
from apps.core.enums import OutcomeKind
from apps.core.types import Outcome
from tests.contract.apns.case import MISCONFIGURED, ApnsCase
from tests.simulators import Request, running
from tests.simulators.apns import ApnsSimulator, signing_key


class TestTokens(ApnsCase):
    def bearer(self, request: Request) -> str:
        return request.headers["authorization"]

    def test_it_signs_once_for_many(self) -> None:
        with running(ApnsSimulator()) as sim:
            for _ in range(3):
                self.provider.send(self.account(sim.url), self.messages(5), deadline=3)
        assert len({self.bearer(request) for request in sim.requests}) == 1
        assert sim.taken_count == 15

    @pytest.mark.parametrize(("minutes", "is_same"), [(39, True), (40, False), (55, False)])
    def test_it_signs_anew_after_40_minutes(self, minutes: int, is_same: bool) -> None:
        account, now = self.account("https://apns.test"), clock.now()
        first = apns_tokens.token(account, now)
        assert (apns_tokens.token(account, now + timedelta(minutes=minutes)) == first) is is_same

    def test_an_expired_token_is_replaced_once_and_costs_no_message(self) -> None:
        with running(ApnsSimulator()) as sim:
            account = self.account(sim.url)
            old = apns_tokens.token(account, clock.now() - timedelta(seconds=30))
            sim.newest_token_at = time() - 10
            first = self.provider.send(account, self.messages(3), deadline=3)
            second = self.provider.send(account, self.messages(3), deadline=3)
        assert [(o.kind, o.retry_after) for o in first] == [(OutcomeKind.THROTTLED, 1.0)] * 3
        assert self.kinds(second) == [OutcomeKind.ACCEPTED] * 3
        assert [self.bearer(r) == f"bearer {old}" for r in sim.requests] == [True] * 3 + [False] * 3

    def test_when_the_new_token_is_called_expired_too_the_account_is_wrong(self) -> None:
        with running(ApnsSimulator()) as sim:
            sim.newest_token_at = time() + 3600
            kinds = [self.kinds(self.send(sim.url, 2)) for _ in range(3)]
        assert kinds == [[OutcomeKind.THROTTLED] * 2, [MISCONFIGURED] * 2, [MISCONFIGURED] * 2]
        assert len({self.bearer(request) for request in sim.requests}) == 2

    def test_a_changed_key_gets_a_connection_of_its_own(self) -> None:
        with running(ApnsSimulator()) as sim:
            sim.keys["NEW1234567"] = signing_key(2)
            account = self.account(sim.url)
            rotated = replace(account, credentials={**self.credentials, "key_id": "NEW1234567", "key": signing_key(2)})
            outcomes = [
                *self.provider.send(account, self.messages(1), deadline=3),
                *self.provider.send(rotated, self.messages(1), deadline=3),
            ]
        assert self.kinds(outcomes) == [OutcomeKind.ACCEPTED] * 2
        assert sim.connections == 2

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"key": ""}, "no_key"),
            ({"team_id": ""}, "no_key"),
            ({"key": "-----BEGIN"}, "bad_key"),
            ({"key": "é"}, "bad_key"),
        ],
    )
    def test_without_a_key_nothing_is_sent(self, changed: dict[str, str], code: str) -> None:
        with running(ApnsSimulator()) as sim:
            account = replace(self.account(sim.url), credentials={**self.credentials, **changed})
            outcomes = self.provider.send(account, self.messages(2), deadline=3)
        assert self.told(outcomes) == [(MISCONFIGURED, code)] * 2
        assert (sim.count, sim.connections) == (0, 0)

    def test_without_a_topic_nothing_is_sent(self) -> None:
        with running(ApnsSimulator()) as sim:
            account = replace(self.account(sim.url), settings={}, sender="")
            outcomes: list[Outcome] = self.provider.send(account, self.messages(1), deadline=3)
        assert self.told(outcomes) == [(MISCONFIGURED, "no_topic")]
        assert sim.count == 0

    def test_another_teams_key_is_a_wrong_account(self) -> None:
        with running(ApnsSimulator()) as sim:
            account = replace(self.account(sim.url), credentials={**self.credentials, "key": signing_key(9)})
            outcomes = self.provider.send(account, self.messages(1), deadline=3)
        assert self.told(outcomes) == [(MISCONFIGURED, "InvalidProviderToken")]

    def test_its_credentials_can_be_asked_about_without_a_device(self) -> None:
        with running(ApnsSimulator()) as sim:
            sim.foreign.add("0" * 64)
            good = self.account(sim.url)
            wrong = replace(good, credentials={**self.credentials, "key": signing_key(9)})
            without = replace(good, credentials={})
            found = [
                self.provider.check_credentials(account, Deadline(3, 1.5, 1))
                for account in (good, wrong, without, *[good] * 6)
            ]
        assert [(o.kind, o.code) for o in found if o] == [
            (OutcomeKind.ACCEPTED, ""),
            (MISCONFIGURED, "InvalidProviderToken"),
            (MISCONFIGURED, "no_key"),
            *[(OutcomeKind.ACCEPTED, "")] * 6,
        ]
        assert sim.taken_count == 0
