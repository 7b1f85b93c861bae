"""Pages that cost more than is left."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.campaigns import affording, budgeting
from apps.core.enums import Channel, DeliveryStatus, Reason
from apps.ledger.campaign_pages import Fate, NewMessage

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
LINES = [{"channel": "sms", "place": "+49", "each": 70}, {"channel": "sms", "place": "+41", "each": 40}]
RUN = SimpleNamespace(
    id=uuid4(), tenant_id=uuid4(), estimate={"lines": LINES}, definition={"channels": ["sms", "email"]}
)
Asked = list[dict[str, list[int]]]


def message(*fates: Fate, decided: bool = True) -> NewMessage:
    return NewMessage(uuid4(), UUID(int=1), 0, "spring", list(fates) if decided else None)


def sms(place: str = "+49", status: DeliveryStatus = DeliveryStatus.QUEUED) -> Fate:
    return Fate(Channel.SMS, uuid4(), status, None, place)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found: Asked = []

    def reserve(**said: Any) -> budgeting.Granted:
        found.append(said["wanted"])
        return budgeting.Granted({"sms": 2, "email": 99}, "The budget is used up.")

    monkeypatch.setattr(affording, "reserve", reserve)
    return found


def test_it_withholds_what_comes_after_the_last_message_that_is_paid_for(asked: Asked) -> None:
    mail, none = Fate(Channel.EMAIL, uuid4(), DeliveryStatus.QUEUED), sms(status=DeliveryStatus.SKIPPED)
    page = [message(sms(), mail), message(none), message(sms("+41")), message(sms("+1"), mail), message(mail)]
    kept, sentence = affording.afford(RUN, page, NOON)
    assert sentence == "The budget is used up."
    assert asked == [{"sms": [70, 40, 70], "email": [0, 0, 0]}]
    assert kept[:3] == page[:3]
    assert kept[4] == page[4]
    refused, still = kept[3].fates or ()
    assert (refused.status, refused.reason) == (DeliveryStatus.SKIPPED, Reason.OVER_BUDGET)
    assert still == mail


def test_what_is_not_decided_yet_counts_on_every_channel(asked: Asked) -> None:
    page = [message(decided=False), message(decided=False), message(decided=False)]
    kept, _ = affording.afford(RUN, page, NOON)
    assert asked == [{"sms": [70] * 3, "email": [0] * 3}]
    assert kept[:2] == page[:2]
    assert [(f.channel, f.reason) for f in kept[2].fates or ()] == [(Channel.SMS, Reason.OVER_BUDGET)]


def test_what_costs_nothing_is_not_asked_about(asked: Asked) -> None:
    page = [message(sms())]
    assert affording.afford(SimpleNamespace(estimate={}), page, NOON) == (page, "")
    assert asked == []
