"""What Twilio says of a message in doubt, from the list that it gives."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import structs

from apps.channels.deadlines import Deadline
from apps.core import clock
from tests.contract.scripted import answer, scripted
from tests.contract.twilio.cast import TwilioCase
from tests.simulators.twilio import NUMBER, SID


class TestTwilioLookUp(TwilioCase):
    def looked_up(
        self, *found: dict[str, Any], age: float = 120.0, more: str | None = None, **changes: Any
    ) -> str | None:
        since = clock.now() - timedelta(seconds=age)
        given = {
            "sid": "SM1",
            "body": "Your code is 4711",
            "to": "+12025550000",
            "direction": "outbound-api",
            "from": NUMBER,
        }
        listed = [
            given | {"date_created": f"{since + timedelta(seconds=2):%a, %d %b %Y %H:%M:%S} +0000"} | one
            for one in found
        ]
        body = msgspec.json.encode({"messages": listed, "next_page_uri": more})
        with scripted(answer(200, body)) as server:
            message = structs.replace(self.messages(1)[0], **changes)
            told = self.provider.look_up(self.account(server.url), message, since, Deadline(5.0, 0.5, 5.0))
        (self.asked,) = server.requests
        return told

    def test_it_finds_the_one_message_of_that_text(self) -> None:
        assert self.looked_up({}, {"sid": "SM2", "body": "Something else"}) == "SM1"
        assert (self.asked.method, self.asked.body) == ("GET", b"")
        assert self.asked.path == f"/2010-04-01/Accounts/{SID}/Messages.json?To=%2B12025550000&PageSize=100"

    def test_it_says_that_there_is_none(self) -> None:
        old = {"date_created": f"{datetime.now(UTC) - timedelta(hours=1):%a, %d %b %Y %H:%M:%S} +0000"}
        assert self.looked_up() == ""
        assert self.looked_up(old, more="/next") == ""
        assert self.looked_up({"direction": "inbound"}) == ""

    def test_it_goes_by_time_and_number_when_the_text_is_gone(self) -> None:
        assert self.looked_up({"body": ""}, content={}) == "SM1"
        assert self.looked_up({}, {"sid": "SM2", "body": "Another"}, content={}) is None

    def test_it_looks_at_our_sender_only(self) -> None:
        service = "MG" + "0a" * 16
        assert self.looked_up({"from": "+15005550099"}) == ""
        assert self.looked_up({"messaging_service_sid": service}, sender=service) == "SM1"
        assert self.looked_up({"to": "+12025550009"}) == ""

    def test_it_leaves_later_messages_alone(self) -> None:
        later = {
            "sid": "SM2",
            "date_created": f"{datetime.now(UTC) - timedelta(seconds=30):%a, %d %b %Y %H:%M:%S} +0000",
        }
        assert self.looked_up(later) == ""
        assert self.looked_up({}, later) == "SM1"

    @pytest.mark.parametrize(
        "found",
        [
            [{}, {"sid": "SM2"}],
            [{"body": ""}],
            [{"body": "Another text, or this one encoded anew"}],
            [{"date_created": None}],
            [{"date_created": "yesterday"}],
        ],
    )
    def test_it_cannot_say_when_it_might_be_any_of_them(self, found: list[dict[str, Any]]) -> None:
        assert self.looked_up(*found) is None

    def test_it_cannot_say_while_the_request_may_be_under_way(self) -> None:
        assert self.looked_up(age=30) is None
        assert self.looked_up({}, age=30) == "SM1"

    def test_it_cannot_say_when_not_all_was_read(self) -> None:
        assert self.looked_up({"direction": "inbound"}, more="/next") is None

    @pytest.mark.parametrize("status", [401, 404, 500, 503])
    def test_it_cannot_say_without_an_answer(self, status: int) -> None:
        since = clock.now() - timedelta(minutes=5)
        with scripted(answer(status)) as server:
            account = self.account(server.url)
            assert self.provider.look_up(account, self.messages(1)[0], since, Deadline(5.0, 0.5, 5.0)) is None
        assert self.provider.look_up(account, self.messages(1)[0], since, Deadline(5.0, 0.5, 5.0)) is None
