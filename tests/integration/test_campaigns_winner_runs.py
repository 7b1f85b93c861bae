"""Variants that are tried on a part, and what the rest gets."""

from datetime import timedelta
from typing import Any

import pytest

from apps.campaigns import launching, winning
from apps.campaigns.models import Campaign, Run, Tally, Wave
from apps.channels.models import Alert
from apps.core import clock, ids
from apps.tenants import selectors as tenants
from apps.tenants.models import AuditEntry
from tests.integration import admin_cast
from tests.integration import campaign_runs_cast as runs
from tests.integration.ingest_cast import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def testing(monkeypatch: pytest.MonkeyPatch) -> Run:
    return under_test(monkeypatch)


def under_test(monkeypatch: pytest.MonkeyPatch, **test: Any) -> Run:
    tenant = runs.acme()
    runs.people(tenant, 40)
    runs.Clock(monkeypatch)
    said = {"share": 50, "metric": "clicked", "wait_minutes": 30, "rule": "automatic", **test}
    campaign = runs.campaign(tenant, templates=("spring", "spring"), test=said)
    runs.started(campaign)
    runs.settle()
    run = runs.run_of(campaign)
    assert run.status == "testing"
    return run


def seen(run: Run, *clicked: int, of: int = 1_000, at: timedelta = timedelta(minutes=30)) -> None:
    """As if so many had got each variant, counted then."""
    Tally.objects.of(run.tenant_id).filter(run_id=run.id).delete()
    for variant, clicks in enumerate(clicked):
        Tally.objects.create(
            tenant_id=run.tenant_id,
            run=run,
            variant=variant,
            channel="email",
            status="delivered",
            count=of,
            clicked=clicks,
        )
    done = Wave.objects.of(run.tenant_id).filter(run_id=run.id, kind="test").latest("done_at").done_at
    Run.objects.filter(id=run.id).update(tallied_at=done + at)


def choose(run: Run, winner: int) -> bool:
    return winning.choose_by_hand(tenant_id=run.tenant_id, run_id=run.id, winner=winner, by="mira", now=later(run))


def later(run: Run, minutes: float = 30) -> Any:
    return clock.now() + timedelta(minutes=minutes)


def test_the_rest_gets_the_clear_winner_when_the_time_is_over(testing: Run) -> None:
    seen(testing, 100, 150)
    assert winning.choose_due(later(testing, 29)) == 0
    assert winning.choose_due(later(testing)) == 1
    testing.refresh_from_db()
    assert (testing.winner, testing.status) == (1, "running")
    assert testing.winner_said == "B wins: 15.0 % clicked, and with a probability of over 99.9 % no other is better."
    assert Wave.objects.of(testing.tenant_id).get(run_id=testing.id, kind="rest").due_at is not None
    assert winning.choose_due(later(testing)) == 0
    entry = AuditEntry.objects.get(tenant_id=testing.tenant_id, action="choose_winner")
    assert (entry.actor_kind, entry.actor, entry.said) == ("system", "by itself", testing.winner_said)


def test_an_old_count_chooses_nothing(testing: Run) -> None:
    seen(testing, 100, 150, at=timedelta(minutes=29))
    assert winning.choose_due(later(testing)) == 0


def test_no_clear_winner_waits_for_somebody_and_says_so_once(testing: Run) -> None:
    seen(testing, 100, 101)
    assert [winning.choose_due(later(testing)) for _ in range(2)] == [0, 0]
    alert = Alert.objects.all_tenants().get(kind="no_clear_winner", ended_at=None)
    assert "No clear winner: B is ahead with 10.1 % clicked" in alert.text
    testing.refresh_from_db()
    assert (testing.winner, testing.status) == (None, "testing")
    assert choose(testing, 0)
    assert not choose(testing, 1)
    assert not Alert.objects.all_tenants().filter(ended_at=None).exists()
    testing.refresh_from_db()
    assert (testing.winner, testing.winner_said) == (0, "A was chosen by mira.")


def test_nobody_has_to_choose_for_what_was_cancelled_and_a_pause_by_hand_changes_nothing(testing: Run) -> None:
    seen(testing, 100, 101)
    winning.choose_due(later(testing))
    known = {"campaign_id": testing.campaign_id, "tenant_id": testing.tenant_id, "by": "mira"}
    for step, kinds in (
        (launching.pause, ["no_clear_winner"]),
        (launching.resume, ["no_clear_winner"]),
        (launching.cancel, []),
    ):
        step(**known)
        assert [kind for kind, _ in runs.alerts()] == kinds, step


@pytest.mark.parametrize("clicked", [(100, 101), (0, 0)])
def test_no_clear_winner_sends_the_first_where_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, clicked: tuple[int, int]
) -> None:
    run = under_test(monkeypatch, undecided="first")
    seen(run, *clicked)
    assert [winning.choose_due(later(run, minutes)) for minutes in (29, 30, 31)] == [0, 1, 0]
    run.refresh_from_db()
    assert (run.winner, run.status) == (0, "running")
    assert run.winner_said.startswith("No clear winner: ")
    assert run.winner_said.endswith(" A goes to the rest, as was asked for.")
    assert not Alert.objects.all_tenants().exists()
    entry = AuditEntry.objects.get(tenant_id=run.tenant_id, action="choose_winner")
    assert (entry.kind, entry.object_id, entry.actor) == ("campaigns.run", str(run.id), "by itself")
    client = admin_cast.mira()
    for page in ("winner", "results"):
        said = client.get(f"/admin/campaigns/run/{run.id}/{page}/").content.decode()
        assert "A goes to the rest, as was asked for." in said, page


def test_a_clear_winner_wins_over_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    run = under_test(monkeypatch, undecided="first")
    seen(run, 100, 150)
    assert winning.choose_due(later(run)) == 1
    run.refresh_from_db()
    assert run.winner == 1


def test_by_hand_is_never_automatic(monkeypatch: pytest.MonkeyPatch) -> None:
    run = under_test(monkeypatch, rule="by_hand", undecided="first")
    seen(run, 10, 500)
    assert winning.choose_due(later(run)) == 0
    assert not Alert.objects.all_tenants().exists()


def test_somebody_chooses_on_the_page(testing: Run) -> None:
    seen(testing, 100, 101)
    where = f"/admin/campaigns/run/{testing.id}/winner/"
    client = admin_cast.mira()
    page = client.get(where).content.decode()
    assert "No clear winner" in page and "Send B to the rest" in page
    assert "Choose one of the variants." in client.post(where, {"variant": "7"}, follow=True).content.decode()
    assert Run.objects.all_tenants().get().winner is None
    assert "B was chosen" in client.post(where, {"variant": "1"}, follow=True).content.decode()
    assert Run.objects.all_tenants().get().winner == 1
    assert "nothing to choose" in client.post(where, {"variant": "0"}, follow=True).content.decode()
    assert Run.objects.all_tenants().get().winner == 1


def test_a_program_chooses(testing: Run) -> None:
    tenant = tenants.tenant_by_id(testing.tenant_id)
    assert tenant is not None
    caller, where = Caller(tenant), f"/v1/campaigns/{ids.show(ids.CAMPAIGN, testing.campaign_id)}/winner"
    assert caller.post(where, {"variant": 2}).json()["code"] == "out_of_range"
    assert caller.post(where, {"variant": 1}).json()["status"] == "running"
    listed = caller.get(where.replace("winner", "runs")).json()["data"][0]
    assert (listed["winner"], listed["winner_text"]) == (1, "B was chosen by key shop.")
    assert Run.objects.all_tenants().get().winner == 1
    assert caller.post(where, {"variant": 0}).json()["code"] == "campaign_state"
    assert Run.objects.all_tenants().get().winner == 1


def test_who_may_only_look_chooses_nothing(testing: Run) -> None:
    client = admin_cast.viewer("campaigns.view_campaign")
    where = f"/admin/campaigns/run/{testing.id}/winner/"
    assert 'name="variant"' not in client.get(where).content.decode()
    assert client.post(where, {"variant": "1"}).status_code == 403
    assert Run.objects.all_tenants().get().winner is None
    assert Campaign.objects.all_tenants().get().status == "running"
