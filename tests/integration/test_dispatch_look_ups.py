"""Providers that can be asked: what they have is sent, what they do not have goes once more, and what they cannot say stays a doubt."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from apps.channels import registry
from apps.channels.deadlines import Deadline
from apps.core import ids
from apps.core.enums import Category, Channel
from apps.core.types import Account, OutboundMessage
from apps.dispatch import draining, resolving
from apps.events.selectors import forget_cached as forget_event_types
from apps.ledger import services, work
from apps.ledger.models import Attempt, DeliveryEvent, WorkItem
from apps.ledger.receipts import record
from tests.integration import doubts_cast
from tests.integration.dispatch_cast import (
    ACCEPTED,
    Carrier,
    claimed,
    delivery,
    left,
    notify,
    people,
    route,
    state,
    states,
    tenant,
)
from tests.integration.dispatch_cast import carrier as carrier  # fixtures
from tests.integration.dispatch_cast import rung as rung
from tests.integration.doubts_cast import SILENT, drained, later, planned, reached, receipt, told

pytestmark = pytest.mark.django_db
CRITICAL, TRANSACTIONAL, SOCIAL, MARKETING = Category
PUSH, EMAIL, SMS, _ = Channel


class Asked(Carrier):
    """Can be asked. `knows`: answers in turn, the last one for good."""

    has_look_up = True

    def __init__(self) -> None:
        super().__init__()
        self.knows: list[str | Exception | None] = [None]
        self.questions: list[tuple[str, str, datetime, bool]] = []

    def look_up(self, account: Account, message: OutboundMessage, since: datetime, deadline: Deadline) -> str | None:
        self.questions.append((message.reference, message.address, since, connection.in_atomic_block))
        said = self.knows.pop(0) if len(self.knows) > 1 else self.knows[0]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture(autouse=True)
def quiet(rung: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    forget_event_types()
    monkeypatch.setattr(draining, "close_old_connections", lambda: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    one = Asked()
    monkeypatch.setitem(registry._made, "sandbox", one)  # type: ignore[arg-type]
    return one


def every_hour() -> None:
    for _ in range(24):
        later(3600)
        drained(TRANSACTIONAL, SMS)


def in_doubt(asked: Asked, category: Category = TRANSACTIONAL, channel: Channel = SMS, **wish: Any) -> Any:
    return doubts_cast.in_doubt(asked, category, channel, ACCEPTED, **wish)


def test_the_provider_is_asked_and_has_it(asked: Asked) -> None:
    asked.knows = ["SM1"]
    id_ = in_doubt(asked)
    assert planned() == [("doubt", "look_up", 30)]
    later(30)
    drained(TRANSACTIONAL, SMS)
    attempt = Attempt.objects.all_tenants().get()
    assert [question[:2] for question in asked.questions] == [(ids.show(ids.ATTEMPT, attempt.id), "+4915112345678")]
    assert asked.questions[0][2] == attempt.started_at
    one = delivery()
    assert (state(id_), one.provider_message_id, one.ended_at, left()) == (("sent", ""), "SM1", None, [])
    assert (attempt.kind, attempt.provider_message_id) == ("ambiguous", "SM1")
    event = DeliveryEvent.objects.all_tenants().get()
    assert (event.kind, event.source, event.delivery_id) == ("found", "sandbox-sms", id_)
    every_hour()
    assert (len(asked.calls), len(asked.questions), one.duplicate_possible) == (1, 1, False)
    found = record([("sandbox-sms", receipt())])
    assert len(found.applied) == 1


def test_the_provider_is_asked_and_does_not_have_it(asked: Asked) -> None:
    asked.knows = [None, ""]
    id_ = in_doubt(asked)
    later(30)
    drained(TRANSACTIONAL, SMS)
    assert (len(asked.calls), planned()) == (1, [("doubt", "look_up", 90)])
    later(91)
    drained(TRANSACTIONAL, SMS)
    assert (len(asked.calls), state(id_), left()) == (2, ("sent", ""), [])
    assert (told(), delivery().duplicate_possible) == (["missing", "resent"], False)


def test_a_provider_that_cannot_say_is_asked_four_times_and_then_it_stays_unknown(asked: Asked) -> None:
    id_ = in_doubt(asked)
    for seconds in (30, 91, 281, 501):
        later(seconds)
        drained(TRANSACTIONAL, SMS)
    assert (len(asked.questions), len(asked.calls), left()) == (4, 1, [])
    assert (state(id_), told()) == (("unknown", "in_doubt"), ["left_in_doubt"])


def test_a_code_is_asked_for_after_three_seconds_and_then_sent_again(asked: Asked) -> None:
    in_doubt(asked, CRITICAL)
    later(3)
    drained(CRITICAL, SMS)
    assert (len(asked.questions), len(asked.calls), told()) == (1, 2, ["resent"])
    assert delivery().duplicate_possible


def test_a_look_up_with_a_bug_counts_as_no_answer(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    asked.knows = [KeyError("boom")]
    in_doubt(asked)
    later(30)
    drained(TRANSACTIONAL, SMS)
    assert (len(asked.calls), planned()) == (1, [("doubt", "look_up", 90)])
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == ["look-up failed"]


def test_who_is_forgotten_is_not_asked_about(asked: Asked) -> None:
    in_doubt(asked)
    delivery_row = delivery()
    services.erase_recipient(tenant(), delivery_row.recipient_id)
    assert left() == []
    later(3600)
    drained(TRANSACTIONAL, SMS)
    assert (asked.questions, len(asked.calls)) == ([], 1)


def test_a_turn_asks_about_so_many_and_leaves_the_others_due(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "ASKED_A_TURN", 2)
    asked.says = [SILENT]
    notify(people(5))
    route()
    drained(TRANSACTIONAL, EMAIL)
    later(31)
    resolving.resolve_doubts(claimed("send.transactional.email"), float("inf"))
    assert len(asked.questions) == 2
    assert sorted(when <= 0 for _, _, when in planned()) == [False, False, True, True, True]
    assert set(WorkItem.objects.all_tenants().values_list("phase", "move")) == {(work.READY, "look_up")}


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_provider_is_asked(asked: Asked) -> None:
    in_doubt(asked)
    later(30)
    drained(TRANSACTIONAL, SMS)
    assert [is_open for *_, is_open in asked.questions] == [False]


def test_one_message_is_not_the_answer_to_two_doubts(asked: Asked) -> None:
    """Two texts to one number in one moment: what goes by number and time may name either."""
    asked.says = [SILENT]
    rosa = reached(SMS)
    notify([rosa, rosa], channels=[SMS])
    route()
    drained(TRANSACTIONAL, SMS)
    asked.knows = ["SM1"]
    later(31)
    drained(TRANSACTIONAL, SMS)
    assert states() == [("sms", "unknown", "in_doubt")] * 2
    assert [move for _, move, _ in planned()] == ["look_up"] * 2


def test_a_message_that_is_known_already_is_no_answer(asked: Asked) -> None:
    asked.says = [ACCEPTED, SILENT]
    rosa = reached(SMS)
    for _ in range(2):
        notify([rosa], channels=[SMS])
        route()
        drained(TRANSACTIONAL, SMS)
    asked.knows = ["m1"]
    later(31)
    drained(TRANSACTIONAL, SMS)
    assert states() == [("sms", "sent", ""), ("sms", "unknown", "in_doubt")]
