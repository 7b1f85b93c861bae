"""Calls of providers: what could not be applied comes first, and gets another try when asked to."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock, ids
from apps.receipts.models import ReceiptCall
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:receipts_receiptcall_changelist")


def call(**fields: Any) -> ReceiptCall:
    known = {"account_id": ids.new(), "provider": "sandbox", "sealed": b"a secret body"}
    return ReceiptCall.objects.create(**known | fields)


def parked() -> ReceiptCall:
    return call(parked_at=clock.now(), tries=3, error="UnreadableError: no JSON")


def listed(answer: Any) -> list[UUID]:
    return [row.pk for row in answer.context_data["cl"].result_list]


def apply_again(client: Client, *calls: ReceiptCall) -> str:
    data = {"action": "replay_selected", "_selected_action": [str(one.id) for one in calls], "index": "0"}
    answer = client.post(f"{LIST}?state=all", data, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_parked_ones_come_first_and_all_when_there_are_none(mira: Client) -> None:
    done = call(applied_at=clock.now())
    assert listed(mira.get(LIST)) == [done.id]
    stuck = parked()
    assert listed(mira.get(LIST)) == [stuck.id]
    assert listed(mira.get(LIST, {"state": "all"})) == [stuck.id, done.id]
    assert listed(mira.get(LIST, {"state": "applied"})) == [done.id]


def test_what_a_call_says_is_not_shown(mira: Client) -> None:
    stuck = parked()
    for address in (LIST, reverse("admin:receipts_receiptcall_change", args=[stuck.id])):
        text = mira.get(address).content.decode()
        assert "UnreadableError: no JSON" in text
        assert "a secret body" not in text


def test_applying_again_makes_all_that_were_chosen_due_with_all_their_tries(mira: Client) -> None:
    stuck, done, other = parked(), call(applied_at=clock.now(), tries=1, waiting=["e1"]), parked()
    before = ReceiptCall.objects.get(id=stuck.id).due_at
    assert apply_again(mira, stuck, done).startswith("2 will be applied again")
    for one in (stuck, done):
        one.refresh_from_db()
        assert (one.parked_at, one.applied_at, one.tries, one.error, one.waiting) == (None, None, 0, "", None)
        assert one.due_at >= before
    other.refresh_from_db()
    assert (other.tries, other.parked_at is None) == (3, False)


def test_a_viewer_looks_and_applies_nothing(mira: Client) -> None:
    stuck = parked()
    vera = cast.viewer("receipts.view_receiptcall")
    assert "replay_selected" not in vera.get(LIST).content.decode()
    apply_again(vera, stuck)
    stuck.refresh_from_db()
    assert stuck.parked_at is not None


@pytest.mark.parametrize("rows", [1, 20])
def test_a_page_costs_as_many_statements_whatever_is_on_it(mira: Client, rows: int) -> None:
    account = ids.new()
    for _ in range(rows):
        call(account_id=account, parked_at=clock.now())
    mira.get(LIST)
    # session, user, whether any is parked, rows, the account, sidebar
    with statements(6):
        mira.get(LIST)
