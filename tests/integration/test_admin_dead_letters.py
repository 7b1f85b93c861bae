"""What waits for an operator: in groups, tried again or given up, and never by looking alone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock, ids
from apps.core.types import Tenant
from apps.ledger.admin import settling
from apps.ledger.models import DeadLetter, Delivery, WorkItem
from notifier import sidebar
from tests.integration import admin_cast as cast
from tests.integration.admin_fixtures import acme as acme  # fixtures
from tests.integration.admin_fixtures import mira as mira
from tests.integration.ingest_cast import statements

pytestmark = pytest.mark.django_db

LIST = reverse("admin:ledger_deadletter_changelist")


def failed(tenant: Tenant, channel: str = "sms", status: str = "failed", reason: str = "rejected") -> DeadLetter:
    note = cast.notification(tenant, cast.person(tenant))
    return cast.letter(cast.delivery(note, channel, status, reason=reason), reason)


def listed(answer: Any) -> list[UUID]:
    return [row.pk for row in answer.context_data["cl"].result_list]


def run(client: Client, action: str, *letters: DeadLetter) -> str:
    data = {"action": action, "_selected_action": [str(letter.id) for letter in letters], "index": "0"}
    answer = client.post(LIST, data, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def group(what: str, letter: DeadLetter) -> str:
    address = reverse("admin:ledger_deadletter_group", args=[what])
    return f"{address}?reason={letter.reason}&queue={letter.queue}"


def nothing_was_done() -> bool:
    is_untouched = not DeadLetter.objects.exclude(resolved_at=None).exists()
    return is_untouched and not WorkItem.objects.exists() and not cast.events("retried") and not cast.events("given_up")


def test_open_ones_are_shown_unless_others_are_asked_for(acme: Tenant, mira: Client) -> None:
    done, open_ = failed(acme), failed(acme)
    DeadLetter.objects.filter(id=done.id).update(resolved_at=clock.now(), resolution="replayed")
    assert listed(mira.get(LIST)) == [open_.id]
    assert listed(mira.get(LIST, {"state": "resolved"})) == [done.id]
    assert listed(mira.get(LIST, {"state": "all"})) == [open_.id, done.id]


def test_they_are_grouped_by_cause_and_queue(acme: Tenant, mira: Client) -> None:
    failed(acme), failed(acme), failed(acme, "email"), failed(acme, "sms", reason="poisoned")
    found = mira.get(LIST).context_data["groups"]
    assert [(one.reason, one.queue, one.count) for one in found.rows] == [
        ("rejected", "send.transactional.sms", 2),
        ("poisoned", "send.transactional.sms", 1),
        ("rejected", "send.transactional.email", 1),
    ]
    assert (found.count, found.is_capped) == (4, False)
    assert "rejected 5.7.1" in mira.get(LIST).content.decode()


def test_grouping_reads_only_so_many(acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MOST_GROUPED", 2)
    for _ in range(3):
        failed(acme)
    found = mira.get(LIST).context_data["groups"]
    assert (found.rows[0].count, found.is_capped) == (2, True)


def badge(client: Client) -> object:
    answer = client.get(reverse("admin:tenants_tenant_changelist"))
    (item,) = [item for item in answer.context["sidebar_navigation"][0]["items"] if item["title"] == "Dead letters"]
    return item.get("badge")


def test_the_sidebar_counts_them(acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert badge(mira) is None
    failed(acme), failed(acme)
    assert badge(mira) == "2"
    monkeypatch.setattr(sidebar, "MOST_COUNTED", 1)
    assert badge(mira) == "1+"


@pytest.mark.parametrize("rows", [1, 20])
def test_a_page_costs_as_many_statements_whatever_is_on_it(acme: Tenant, mira: Client, rows: int) -> None:
    for _ in range(rows):
        failed(acme)
    mira.get(LIST)
    # session, user, groups, sidebar, rows
    with statements(5):
        mira.get(LIST)


def test_replaying_opens_new_tries_of_what_was_selected(acme: Tenant, mira: Client) -> None:
    one, other = failed(acme), failed(acme)
    assert run(mira, "replay_selected", one) == "1 of 1 replayed; the new tries are picked up within a second."
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.resolution, one.resolved_by, other.resolved_at) == ("replayed", "operator mira", None)
    assert Delivery.objects.get(id=one.delivery_id).status == "queued"
    assert WorkItem.objects.get().id == one.delivery_id


def test_replaying_leaves_doubt_alone_and_says_so(acme: Tenant, mira: Client) -> None:
    letter = failed(acme, status="unknown", reason="in_doubt")
    assert run(mira, "replay_selected", letter).startswith("0 of 1 replayed;")
    assert nothing_was_done()


def test_giving_up_ends_what_was_selected(acme: Tenant, mira: Client) -> None:
    one, other = failed(acme), failed(acme)
    assert run(mira, "give_up_selected", one) == "1 given up for good."
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.resolution, other.resolved_at) == ("given_up", None)
    assert (cast.events("given_up"), WorkItem.objects.count()) == (1, 0)


@pytest.mark.parametrize("what", ["replay", "give_up"])
def test_a_group_is_settled_after_a_question(acme: Tenant, mira: Client, what: str) -> None:
    letters = [failed(acme), failed(acme)]
    other = failed(acme, "email")
    text = mira.get(group(what, letters[0])).content.decode()
    assert "2 dead letters: The provider refused the message itself. (send.transactional.sms)." in text
    assert nothing_was_done()
    assert mira.post(group(what, letters[0]))["Location"] == LIST
    open_ones = DeadLetter.objects.filter(resolved_at=None)
    assert [letter.id for letter in open_ones] == [other.id]
    assert set(DeadLetter.objects.exclude(id=other.id).values_list("resolution", flat=True)) == {
        "replayed" if what == "replay" else "given_up"
    }


def test_a_group_is_settled_some_at_a_time(acme: Tenant, mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "AT_ONCE", 2)
    letters = [failed(acme) for _ in range(3)]
    mira.post(group("give_up", letters[0]))
    assert [letter.id for letter in DeadLetter.objects.filter(resolved_at=None)] == [letters[2].id]


@pytest.mark.parametrize("what", ["replay", "give-up"])
def test_one_is_settled_from_its_page(acme: Tenant, mira: Client, what: str) -> None:
    letter = failed(acme)
    page = reverse("admin:ledger_deadletter_change", args=[letter.id])
    text = mira.get(page).content.decode()
    assert "The provider refused the message itself." in text
    assert ids.show(ids.NOTIFICATION, letter.notification_id) in text
    address = page.replace("/change/", f"/{what}/")
    assert mira.get(address).status_code == 200
    assert nothing_was_done()
    mira.post(address)
    letter.refresh_from_db()
    assert letter.resolution == {"replay": "replayed", "give-up": "given_up"}[what]
    assert address not in mira.get(page).content.decode()


def test_a_viewer_looks_and_settles_nothing(acme: Tenant) -> None:
    letter = failed(acme)
    vera = cast.viewer("ledger.view_deadletter")
    text = vera.get(LIST).content.decode()
    assert "replay_selected" not in text
    assert "/group/" not in text
    run(vera, "replay_selected", letter)
    run(vera, "give_up_selected", letter)
    page = reverse("admin:ledger_deadletter_change", args=[letter.id])
    for address in (group("replay", letter), group("give_up", letter), page.replace("change", "replay")):
        assert vera.post(address).status_code == 403
    assert nothing_was_done()


def test_they_are_found_by_the_ids_of_what_they_stand_for(acme: Tenant, mira: Client) -> None:
    letter = failed(acme)
    failed(acme, "email")
    for pasted in (
        ids.show(ids.DEAD_LETTER, letter.id),
        ids.show(ids.NOTIFICATION, letter.notification_id),
        ids.show(ids.DELIVERY, letter.delivery_id),
    ):
        assert listed(mira.get(LIST, {"q": pasted})) == [letter.id]


def test_the_oldest_and_the_latest_are_told(acme: Tenant, mira: Client) -> None:
    first, last = failed(acme), failed(acme)
    DeadLetter.objects.filter(id=first.id).update(created_at=clock.now() - timedelta(hours=3))
    first.refresh_from_db()
    (one,) = mira.get(LIST).context_data["groups"].rows
    assert (one.first_at, one.last_at) == (first.created_at, last.created_at)
