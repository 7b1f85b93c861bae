"""A run's page while it goes: how far it is, cheaply; and its buttons, for those who may."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.campaigns import tallying
from apps.campaigns.models import Meter, Run
from apps.core import clock, ids
from apps.ledger.models import Delivery
from apps.tenants.models import AuditEntry
from tests.integration import admin_cast, dispatch_cast
from tests.integration import campaigns_live_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.dispatch_cast import rung as rung
from tests.integration.statements import counted
from tests.integration.test_admin_home import words as home_words
from tests.integration.test_campaigns_brake import mails, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


def url(run: Run, page: str = "change", *more: str) -> str:
    return reverse(f"admin:campaigns_run_{page}", args=[run.id, *more])


def count(run: Run) -> None:
    cast.make_due(run)
    assert tallying.tally_run(run.id, clock.now()) is not None


def text(client: Client, where: str) -> str:

    answer = client.get(where)
    assert answer.status_code == 200, answer.status_code
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def going() -> Run:
    """1,000 people, 600 of them read: 400 done, 160 waiting, 40 held out."""
    now = clock.now()
    waves = [
        {"seen": 600, "made": 560, "held_out": 30, "repeated": 10, "size": 600, "done_at": now},
        {"seen": 0, "made": 0, "size": 400, "due_at": now + timedelta(hours=1), "zone": "Asia/Tokyo"},
    ]
    run = cast.run_of(size=1_000, waves=waves)
    for _ in range(5):
        cast.said(run)
    cast.said(run, "queued")
    cast.said(run, "failed", "rejected")
    count(run)
    return run


def test_it_says_how_far_it_is(mira: Client) -> None:
    run = going()
    said = text(mira, url(run))
    # 40 who get none on purpose, and six whose messages have ended
    assert "46 of 1,000 people done" in said
    assert "4 % done" in said
    assert "The provider refused the message itself. failed 1" in said
    assert "Everybody it is for. Asia/Tokyo planned" in said
    assert 'hx-trigger="every 2s"' in mira.get(url(run)).content.decode()


def test_the_part_that_changes_stops_asking_when_it_is_over(mira: Client) -> None:
    run = going()
    part = mira.get(url(run, "live"), {"status": "running"})
    assert 'hx-trigger="every 2s"' in part.content.decode()
    Run.objects.of(run.tenant_id).update(status="finished", finished_at=clock.now())
    told = mira.get(url(run, "live"), {"status": "running"})
    assert (told.headers["HX-Refresh"], told.content) == ("true", b"")
    assert "hx-trigger" not in mira.get(url(run, "live"), {"status": "finished"}).content.decode()


def test_a_look_costs_the_same_whatever_the_size_and_never_asks_the_ledger(mira: Client) -> None:

    run = going()
    mira.get(url(run, "live"))
    with counted() as few:
        mira.get(url(run, "live"))
    for _ in range(20):
        cast.said(run, "skipped", "topic_off")
    count(run)
    with counted() as many:
        mira.get(url(run, "live"))
    # session, user, run with its campaign, waves, tallies, outcomes, meter
    assert len(few) == len(many) == 7, few
    assert not any("ledger_" in sql for sql in many)


def test_it_can_be_paused_resumed_slowed_down_and_cancelled(mira: Client) -> None:
    run = going()
    page = mira.post(url(run, "operate", "pause"), follow=True)
    assert page.redirect_chain == [(url(run), 302)]
    assert "Paused: 0 in flight, which nobody can call back; 0 waiting." in page.content.decode()
    assert state(run)[:3] == ("paused", "paused", "by_hand")
    assert run.paused_by == "operator mira"
    kept = AuditEntry.objects.all_tenants().filter(object_id=str(run.id)).values_list("actor", "action", "said")
    assert list(kept) == [("operator mira", "operate", "Paused: 0 in flight, which nobody can call back; 0 waiting.")]
    assert "Paused: 0 in flight, 0 waiting." in text(mira, url(run))

    mira.post(url(run, "operate", "resume"))
    assert state(run)[:2] == ("running", "running")
    mira.post(url(run, "operate", "throttle"), {"per_minute": "600"})
    run.refresh_from_db()
    assert run.throttle == 600
    refused = mira.post(url(run, "operate", "throttle"), {"per_minute": "-1"}, follow=True)
    assert "a whole number up to 10,000,000" in refused.content.decode()
    run.refresh_from_db()
    assert run.throttle == 600

    asked = text(mira, url(run, "operate", "cancel"))
    assert "Whoever has not got it yet never will." in asked
    assert state(run)[1] == "running"
    mira.post(url(run, "operate", "cancel"))
    assert state(run)[:2] == ("cancelled", "cancelled")
    late = mira.post(url(run, "operate", "pause"), follow=True)
    assert "it is over" in late.content.decode()
    assert state(run)[:2] == ("cancelled", "cancelled")


def test_what_was_stopped_by_itself_says_why_and_goes_on_only_when_asked_twice(mira: Client) -> None:
    run = cast.run_of(size=500)
    mails(run, 48, 12)
    count(run)
    assert "Paused by itself: 12 of 60 mails bounced (20 %, limit 5 %)." in text(mira, url(run))
    page = mira.get(url(run)).content.decode()
    assert f'<a class="n-button is-small" href="{url(run, "operate", "resume")}">' in page
    assert "12 of 60 mails bounced" in text(mira, url(run, "operate", "resume"))
    assert state(run)[1] == "paused"
    mira.post(url(run, "operate", "resume"))
    assert state(run)[1] == "running"


def test_who_may_only_look_has_no_buttons_and_others_see_nothing() -> None:
    run = going()
    vera = admin_cast.viewer("campaigns.view_campaign")
    page = vera.get(url(run)).content.decode()
    assert "people done" in page and "/operate/" not in page
    assert vera.post(url(run, "operate", "pause")).status_code == 403
    assert state(run)[1] == "running"
    vera.logout()

    User.objects.filter(username="vera").delete()
    nobody = admin_cast.viewer("ledger.view_notification")
    for page_name in ("change", "progress", "live", "results", "who", "export", "cost", "failures"):
        assert nobody.get(url(run, page_name)).status_code in (302, 403, 404), page_name


def test_some_that_failed_are_named_with_the_way_to_their_stories(mira: Client) -> None:
    run = going()
    row = Delivery.objects.of(run.tenant_id).get(status="failed")
    page = mira.get(url(run, "failures")).content.decode()

    assert reverse("admin:ledger_notification_change", args=[ids.show(ids.NOTIFICATION, row.notification_id)]) in page
    assert page.count("<tr>") == 1


def test_home_shows_what_runs_and_what_needs_somebody(mira: Client) -> None:
    assert "Running campaigns" not in home_words(mira)
    run = going()
    said = home_words(mira)
    assert "Running campaigns" in said
    assert "Spring sale" in said and "600 of 1,000" in said
    assert "Campaigns that wait for you" not in said
    mails(run, 48, 12)
    count(run)
    said = home_words(mira)
    assert "Campaigns that wait for you" in said
    assert "12 of 66 mails bounced" in said
    dispatch_cast.tenant()


def test_a_list_of_runs_says_what_each_came_to(mira: Client) -> None:
    run = going()
    said = text(mira, reverse("admin:campaigns_run_changelist"))
    assert "Spring sale running" in said
    assert Meter.objects.of(run.tenant_id).count() == 1


def test_a_plain_number_of_people_done_never_passes_the_audience(mira: Client) -> None:
    run = cast.run_of(size=3, waves=[{"seen": 5, "made": 5, "size": 3}])
    for _ in range(5):
        cast.said(run)
    count(run)
    assert "5 of 5 people done" in text(mira, url(run))
