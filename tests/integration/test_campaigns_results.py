"""What came of a run: numbers that add up, each with the people behind it."""

import re
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.audience.models import Endpoint, Recipient
from apps.campaigns import launching, progress, results, tallying
from apps.campaigns.models import Run
from apps.core import clock, ids
from apps.core.enums import DeliveryStatus as D
from apps.ledger import run_results
from apps.ledger.models import Notification
from tests.integration import admin_cast, campaign_runs_cast, dispatch_cast
from tests.integration import campaigns_live_cast as cast
from tests.integration.admin_fixtures import mira as mira
from tests.integration.dispatch_cast import carrier as carrier
from tests.integration.dispatch_cast import rung as rung
from tests.integration.statements import counted
from tests.integration.test_campaigns_live import text, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


def of(run: Run) -> results.Results:
    cast.make_due(run)
    assert tallying.tally_run(run.id, clock.now()) is not None
    run.refresh_from_db()
    return results.results_of(run, clock.now())


def fates(found: results.Results) -> dict[tuple[str, str], int]:
    every = (*found.under_way, *found.arrived, *found.failed, *found.skipped)
    return {(fate.status.value, fate.reason): fate.count for fate in every}


def accounted(found: results.Results) -> int:
    told = found.progress
    return (
        sum(fates(found).values()) + found.undecided + found.not_reached + told.held_out + told.repeated + told.left_out
    )


def test_every_number_adds_up_at_every_step_of_a_real_run(carrier: Any) -> None:
    """Out on purpose, without an address, doubled addresses, cancelled in the middle: everybody is somewhere, once."""
    acme = campaign_runs_cast.acme()
    people = campaign_runs_cast.people(acme, 38)
    campaign_runs_cast.people(acme, 2, prefix="twin", addresses=["both@acme.test", "both@acme.test"])

    Endpoint.objects.of(acme).filter(recipient_id=people[0]).delete()
    Recipient.objects.of(acme).filter(id=people[1]).update(blocked_at=clock.now())
    spring = campaign_runs_cast.campaign(acme, templates=("spring", "spring"), holdout=50)
    campaign_runs_cast.launch(spring)
    campaign_runs_cast.begin()
    run = campaign_runs_cast.run_of(spring)
    found = of(run)
    assert (found.progress.audience, found.not_reached, accounted(found)) == (40, 40, 40)
    campaign_runs_cast.expand(15, most=2)
    found = of(run)
    assert (found.progress.seen, found.not_reached, accounted(found)) == (30, 10, 40)
    assert found.progress.held_out > 0
    assert set(fates(found)) <= {("queued", ""), ("skipped", "no_endpoint"), ("skipped", "recipient_blocked")}
    dispatch_cast.send("send.marketing.email")
    found = of(run)
    assert found.totals.sent == fates(found)["sent", ""] == len(carrier.messages)
    assert accounted(found) == 40
    launching.cancel(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    found = of(run)
    assert (found.progress.is_over, found.not_reached, accounted(found)) == (True, 10, 40)
    assert sum(v.totals.count for v in found.variants) == sum(fates(found).values())


def seeded(**fields: Any) -> Run:
    """Two variants, of which B is liked better."""
    run, now = (
        cast.run_of(size=60, status="finished", finished_at=clock.now(), expanded_at=clock.now(), **fields),
        clock.now(),
    )
    for n in range(20):
        cast.said(run, opened_at=now if n < 4 else None, clicked_at=now if n < 2 else None)
        cast.said(run, variant=1, opened_at=now if n < 14 else None, clicked_at=now if n < 12 else None)
    cast.said(run, complained_at=now, unsubscribed_at=now)
    cast.said(run, "bounced", "hard_bounce")
    cast.said(run, "failed", "rejected")
    cast.said(run, "skipped", "topic_off", variant=1)
    return run


def test_variants_stand_side_by_side_with_their_intervals(mira: Client) -> None:
    run = seeded()
    found = of(run)
    first, second = found.variants
    assert (first.name, first.totals.sent, first.totals.delivered, first.totals.clicked) == ("A", 22, 21, 2)
    assert (second.name, second.totals.sent, second.totals.opened, second.totals.clicked) == ("B", 20, 14, 12)
    assert found.verdict is not None and found.verdict.winner == 1
    assert first.totals.opt_outs_per_thousand == pytest.approx(1000 / 22)
    said = text(mira, url(run))
    assert "B wins: 60.0 % clicked" in said
    assert "12 60.0% 38.7 to 78.1%" in said
    assert "Opted out 1 23.8 per 1,000 sent" in said


def test_a_page_of_results_asks_the_ledger_nothing(mira: Client) -> None:

    run = seeded()
    of(run)
    mira.get(url(run))
    with counted() as seen:
        mira.get(url(run))
    assert not any("ledger_delivery" in sql or "ledger_notification" in sql for sql in seen)
    # session, user, run, what is in the side bar, waves, tallies, outcomes, meter, slices
    assert len(seen) <= 12, seen


def test_the_side_bar_says_that_a_run_is_of_a_campaign(mira: Client) -> None:
    said = mira.get(url(seeded())).context["sidebar_navigation"]
    assert [item["title"] for group in said for item in group["items"] if item["active"]] == ["Campaigns"]


def test_machines_links_and_time_have_their_place(mira: Client) -> None:
    run = seeded()
    one = cast.said(run)
    cast.happened(one, "opened", code="machine")
    cast.happened(one, "clicked", detail="2")
    cast.happened(one, "clicked", detail="1 https://shop.example/spring")
    cast.happened(one, "clicked")
    of(run)
    said = text(mira, url(run, "results"))
    assert "1 opens and 0 clicks by machines" in said
    assert "Link 2 1" in said
    assert "1. shop.example/spring 1" in said
    assert "Reported by the provider 1" in said
    assert "within 5 s 42" in said


def people_in(page: bytes) -> list[str]:
    return re.findall(r'/notification/(nt_\w+)/change/">([^<]+)</a>', page.decode())  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("what", "count"),
    [
        ("", 44),
        ("sent", 42),
        ("delivered", 41),
        ("opened", 18),
        ("clicked", 14),
        ("unsubscribed", 1),
        ("complained", 1),
        ("trouble", 2),
        ("failed:rejected", 1),
        ("skipped:topic_off", 1),
        ("skipped:no_endpoint", 0),
        ("queued", 0),
    ],
)
def test_each_number_names_its_people(mira: Client, what: str, count: int) -> None:
    run = seeded()
    cast.said(cast.run_of(stamp=run.stamp, slug="other", name="Theirs"), opened_at=clock.now())
    page = mira.get(url(run, "who"), {"what": what})
    found = people_in(page.content)
    assert (len(found), len(set(found))) == (count, count)


def test_the_people_of_one_variant_and_no_nonsense(mira: Client) -> None:
    run = seeded()
    assert len(people_in(mira.get(url(run, "who"), {"what": "clicked", "variant": "1"}).content)) == 12
    assert mira.get(url(run, "who"), {"what": "sent_at IS NULL"}).status_code == 404
    assert mira.get(url(run, "who"), {"what": "sent", "variant": "x", "after": "x"}).status_code == 200


def test_a_person_with_two_channels_is_named_once_by_what_became_of_them(mira: Client) -> None:
    run, now = cast.run_of(size=2), clock.now()
    rosa = cast.said(run, "skipped", "topic_off")
    cast.said(run, "delivered", channel="push", to=rosa.recipient, opened_at=now)
    otto = cast.said(run, "skipped", "topic_off", opened_at=None)
    cast.said(run, "skipped", "channel_off", channel="push", to=otto.recipient)
    shown = {
        what: people_in(mira.get(url(run, "who"), {"what": what}).content)
        for what in ("", "delivered:", "skipped", "skipped:topic_off", "skipped:channel_off", "opened")
    }
    names = {what: [story for story, _ in found] for what, found in shown.items()}
    first, second = (ids.show(ids.NOTIFICATION, one.notification) for one in (rosa, otto))
    assert sorted(names[""]) == sorted([first, second])
    assert names["delivered:"] == names["opened"] == [first]
    assert names["skipped"] == names["skipped:channel_off"] == [second]
    assert names["skipped:topic_off"] == []


def test_many_people_come_in_pages_and_a_look_is_bounded(mira: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run = seeded()
    where = {"tenant_id": run.tenant_id, "stamp": run.stamp, "total": 44}
    found: list[UUID] = []
    after = None
    while True:
        page = run_results.who(**where, wanted=run_results.Wanted(statuses=(D.DELIVERED,)), after=after, size=10)
        found += [row.notification_id for row in page.rows]
        after = page.next_after
        if after is None:
            break
    assert (len(found), len(set(found))) == (41, 41)
    monkeypatch.setattr(run_results, "LOOKED_AT", 7)
    rare = run_results.Wanted(statuses=(D.FAILED,))
    seen, steps, after = [], 0, None
    while True:
        page = run_results.who(**where, wanted=rare, after=after, size=10)
        seen, steps, after = seen + list(page.rows), steps + 1, page.next_after
        if after is None:
            break
        assert page.is_cut
    assert (len(seen), steps) == (1, 7)


def test_who_may_not_see_people_sees_numbers_only() -> None:
    """An approver, say."""
    run = seeded()
    of(run)
    vera = admin_cast.viewer("campaigns.view_campaign", "ledger.view_notification")
    page = vera.get(url(run)).content.decode()
    assert "Everybody, once" in page and "/who/" not in page and "/export/" not in page
    live = vera.get(url(run, "progress")).content.decode()
    assert "people done" in live and "/who/" not in live and "/failures/" not in live
    assert [vera.get(url(run, name)).status_code for name in ("who", "failures", "export")] == [403] * 3


def test_what_it_cost_is_counted_apart(mira: Client) -> None:
    run = seeded()
    of(run)
    page = mira.get(url(run)).content.decode()
    assert f'hx-get="{url(run, "cost")}" hx-trigger="load"' in page
    part = mira.get(url(run, "cost"), headers={"HX-Request": "true"}).content.decode()
    assert "So far" in part and "<html" not in part
    assert "<html" in mira.get(url(run, "cost")).content.decode()


def test_what_a_test_sends_costs_nothing_and_the_page_says_so(mira: Client) -> None:
    run = seeded(estimate={"low": 1_000, "high": 2_000, "currency": "EUR"})
    said = text(mira, url(run, "cost"))
    assert "No provider has taken anything yet." in said and "Expected 0.001 to 0.002 EUR" in said
    run.definition |= {"mode": "test"}
    run.save()
    said = text(mira, url(run, "cost"))
    assert "Nothing. Test messages end in the sandbox" in said
    assert "No provider has taken" not in said and "EUR" not in said


def test_an_empty_run_says_so(mira: Client) -> None:
    run = cast.run_of(size=0, status="finished", finished_at=clock.now(), waves=[])
    said = text(mira, url(run))
    assert "Sent 0 0.0 % of all" in said
    assert "nothing was sent" in said
    assert Notification.objects.of(run.tenant_id).count() == 0


def test_lists_say_in_a_line_what_each_came_to(mira: Client) -> None:
    run, other = seeded(), cast.run_of(name="Quiet", stamp=1)
    of(run)

    found = results.summary_of([run.id, other.id])
    mine = found[run.id]
    assert (mine.audience, mine.sent, mine.delivered, mine.opened, mine.clicked) == (60, 42, 41, 18, 14)
    assert (mine.failed, mine.skipped) == (2, 1)
    assert found[other.id].totals == results.Totals()
    assert progress.shares([run.id, other.id]) == {run.id: (60, 60), other.id: (100, 100)}
    page = unescape(mira.get(reverse("admin:campaigns_run_changelist")).content.decode())
    assert "23.8" in page
