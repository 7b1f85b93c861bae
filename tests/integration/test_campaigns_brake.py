"""A run that goes badly stops by itself; a person lets it go on, and what they knew does not stop it again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from apps.campaigns import launching, tallying
from apps.campaigns.models import Meter, Policy, Run
from apps.channels import reporting
from apps.channels import selectors as channels
from apps.channels.reporting import Norm
from apps.core import clock
from apps.insights.models import ReceiptNorm
from apps.ledger.models import Delivery
from apps.receipts import services, views
from tests.integration import campaign_runs_cast, dispatch_cast
from tests.integration import campaigns_live_cast as cast
from tests.integration.dispatch_cast import rung as rung
from tests.integration.sandbox_process import sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rung")]


def count(run: Run) -> None:
    cast.make_due(run)
    assert tallying.tally_run(run.id, clock.now()) is not None


def state(run: Run) -> tuple[str, str, str, str]:
    run.refresh_from_db()
    run.campaign.refresh_from_db()
    return run.campaign.status, run.status, run.pause_reason, run.pause_detail


def mails(run: Run, good: int, bad: int, *, at: Any = None, **fields: Any) -> None:
    when = {"at": at} if at else {}
    for _ in range(good):
        cast.said(run, **when)
    for _ in range(bad):
        cast.said(run, **{"status": "bounced", "reason": "hard_bounce", **when, **fields})


GOING = ("running", "running", "", "")
BOUNCED = "Paused by itself: 12 of 60 mails bounced (20 %, limit 5 %)."


def test_it_stops_a_run_whose_mails_bounce() -> None:
    run = cast.run_of(size=200)
    mails(run, 48, 12)
    count(run)
    assert state(run) == ("paused", "paused", "brake_bounces", BOUNCED)
    assert run.paused_by == "brake"
    assert run.judged_at is not None
    assert campaign_runs_cast.alerts() == [("run_stopped", f"{run.campaign.name} ({run}): {BOUNCED}")]
    launching.cancel(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="mira")
    assert campaign_runs_cast.alerts() == []


def test_it_lets_one_go_on_that_does_well_or_has_said_too_little() -> None:
    run = cast.run_of(size=200)
    mails(run, 5, 4)
    count(run)
    assert state(run) == GOING
    mails(run, 95, 0)
    count(run)
    assert state(run) == GOING
    assert run.judged_at is not None


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("brake_complaints", {"status": "delivered", "reason": "", "complained_at": clock.now()}),
        ("brake_opt_outs", {"status": "delivered", "reason": "", "unsubscribed_at": clock.now()}),
        ("brake_render_errors", {"status": "failed", "reason": "template_error"}),
        ("brake_rejections", {"status": "failed", "reason": "rejected"}),
        ("brake_bounces", {"status": "failed", "reason": "invalid_address"}),
    ],
)
def test_each_rule_has_its_reason(reason: str, bad: dict[str, Any]) -> None:
    run = cast.run_of(size=200)
    mails(run, 90, 30, **bad)
    count(run)
    assert state(run)[2] == reason


def test_the_campaigns_own_limit_and_the_tenants_hold() -> None:
    Policy.objects.create(tenant_id=dispatch_cast.tenant(), brake={"bounces": 100})
    run = cast.run_of(size=200)
    mails(run, 48, 12)
    count(run)
    assert state(run) == GOING
    Run.objects.of(run.tenant_id).update(definition=run.definition | {"brake": {"bounces": 10}})
    count(run)
    assert state(run)[3] == "Paused by itself: 12 of 60 mails bounced (20 %, limit 10 %)."


def test_what_is_over_is_left_alone() -> None:
    run = cast.run_of(size=60, expanded_at=clock.now(), status="sending")
    mails(run, 48, 12)
    count(run)
    assert state(run) == ("running", "sending", "", "")


def test_what_a_person_knew_does_not_stop_it_again_but_what_comes_after_does() -> None:
    run, then = cast.run_of(size=500), clock.now() - timedelta(seconds=30)
    mails(run, 48, 12, at=then)
    count(run)
    assert state(run)[1] == "paused"
    launching.resume(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="mira")
    for _ in range(3):
        count(run)
    assert state(run) == GOING
    # the same mails bounce on: nothing new was sent
    mails(run, 0, 20, at=then)
    count(run)
    assert state(run) == GOING
    mails(run, 48, 12)
    count(run)
    assert state(run) == ("paused", "paused", "brake_bounces", BOUNCED)


def test_what_happens_while_it_is_paused_is_known_to_who_resumes_it() -> None:
    run = cast.run_of(size=500)
    mails(run, 48, 12)
    count(run)
    mails(run, 0, 60)
    count(run)
    launching.resume(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="mira")
    count(run)
    assert state(run) == GOING


def test_a_pause_by_hand_forgives_nothing() -> None:
    run = cast.run_of(size=500)
    mails(run, 48, 12)
    launching.pause(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="mira")
    count(run)
    assert Meter.objects.of(run.tenant_id).get().judged_from is None
    launching.resume(campaign_id=run.campaign_id, tenant_id=run.tenant_id, by="mira")
    count(run)
    assert state(run)[2] == "brake_bounces"


def test_receipts_that_do_not_come_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged by what is usual for the account; not while they may be here, waiting to be applied."""
    monkeypatch.setattr(reporting, "_learnt", [lambda: {"sandbox-email": Norm(60.0, 0.1)}])
    run, now = cast.run_of(size=500), clock.now()
    for _ in range(60):
        cast.said(run, "sent", at=now - timedelta(seconds=20))
    count(run)
    assert state(run) == GOING
    for _ in range(60):
        cast.said(run, "sent", at=now - timedelta(minutes=5))
    monkeypatch.setattr(tallying, "backlog", lambda now: (1, 61.0))
    count(run)
    assert state(run) == GOING
    monkeypatch.undo()
    monkeypatch.setattr(reporting, "_learnt", [lambda: {"sandbox-email": Norm(60.0, 0.1)}])
    count(run)
    # the first sixty are late by now, or will be: they say nothing against it
    assert state(run)[2] == "brake_missing"
    assert state(run)[3].endswith("mails have no receipt, though it is overdue (100 %, limit 30 %).")


@pytest.fixture
def no_bells(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(views.ringer, "ask", lambda *queues: None)
    channels.forget_cached()
    yield
    channels.forget_cached()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_bells")
def test_a_bad_campaign_stops_after_its_first_page(live_server: Any, tmp_path: Path) -> None:
    """Through the sandbox and its receipts, as it happens: every fifth address bounces; most people never get it."""
    acme = campaign_runs_cast.acme()
    words = ["bounce" if n % 5 == 0 else "delivered" for n in range(200)]
    campaign_runs_cast.people(acme, 200, addresses=[f"{word}+{n}@simulator.test" for n, word in enumerate(words)])
    spring = campaign_runs_cast.campaign(acme)
    campaign_runs_cast.launch(spring)
    campaign_runs_cast.begin()
    campaign_runs_cast.expand(60, most=1)
    run = campaign_runs_cast.run_of(spring)
    with sandbox(tmp_path, receipts_after=0.05, door=live_server.url, secret=settings.SANDBOX_SECRET) as url:
        with override_settings(SANDBOX_URL=url):
            while dispatch_cast.send("send.marketing.email"):
                pass
        ends = monotonic() + 60
        while Delivery.objects.of(acme).filter(status="sent").exists() and monotonic() < ends:
            services.apply_due(ends=monotonic() + 5)
            sleep(0.05)
    count(run)
    assert state(run) == ("paused", "paused", "brake_bounces", BOUNCED)
    assert campaign_runs_cast.expand(60) == []
    assert len(campaign_runs_cast.asked(run)) == 60

    launching.resume(campaign_id=spring.id, tenant_id=acme.id, by="mira")
    count(run)
    assert state(run) == GOING
    assert campaign_runs_cast.expand(60) == [60, 60, 20]


def test_what_was_learnt_of_an_account_is_told_below() -> None:

    ReceiptNorm.objects.create(
        account="sandbox-email", place="", sample=500, delay=4, patience=38, missing=0.07, learnt_at=clock.now()
    )
    ReceiptNorm.objects.create(
        account="sandbox-email", place="gmail.com", sample=99, delay=9, patience=48, missing=0.5, learnt_at=clock.now()
    )
    known = reporting.norms()
    assert known["sandbox-email"] == Norm(38, 0.07)
    assert known["sandbox-sms"] == Norm(reporting.PATIENCE, 0.0)
    assert "sandbox-in_app" not in known
