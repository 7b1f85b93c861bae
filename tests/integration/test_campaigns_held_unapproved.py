"""Launched below the limits, above them when its time comes: nobody gets it until somebody else agreed to that, or answers for it."""

import pytest

from apps.audience.models import Recipient
from apps.campaigns import approving, launching
from apps.campaigns.agreeing import resume_unapproved
from apps.campaigns.models import Approval, Campaign, Policy, Run, Wave
from apps.channels.models import Alert, ProviderAccount
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.core.problem_codes import Code
from apps.core.types import Tenant
from apps.ledger.models import Notification
from apps.tenants.models import AuditEntry
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration import roles_cast
from tests.integration.held_cast import DAILY, MANY, NINE, ended, fired, scheduled
from tests.integration.held_cast import held as held  # fixtures
from tests.integration.held_cast import tenant as tenant
from tests.integration.held_cast import time as time
from tests.integration.test_campaigns_approvals import asked, decide, launch, refused, state
from tests.integration.test_campaigns_cost_ledger import LAST_YEAR
from tests.integration.test_campaigns_held import OTTO, is_held, pages, resume

pytestmark = pytest.mark.django_db


def test_it_is_held_and_goes_on_when_somebody_else_agreed(tenant: Tenant, held: Run) -> None:
    spring = Campaign.objects.of(tenant).get()
    assert is_held(held) and state(spring) == ("paused", [])
    assert (held.pause_reason, held.pause_detail, held.paused_by) == ("approval_needed", MANY, "approval")
    assert not Notification.objects.exists() and not Wave.objects.exists()
    assert refused(Code.APPROVAL_NEEDED, resume, held) == f"{MANY} Ask for an approval."
    waits = approving.ask(tenant=tenant, campaign_id=spring.id, by="otto", note="", now=clock.now())
    kept = Approval.objects.of(tenant).get(id=waits)
    assert (kept.people, kept.note, kept.snapshot) == (5, MANY, spring.launched)
    for by in ("mira", "otto"):
        refused(Code.OWN_WORK, decide, tenant, waits, by=by)
    assert refused(Code.APPROVAL_NEEDED, resume, held) == f"{MANY} It waits for somebody's decision."
    assert is_held(held)
    decide(tenant, waits, by="anna")
    assert is_held(held) and state(spring) == ("paused", ["approved"])
    resume(held)
    assert pages() == [5]


def test_who_came_while_it_was_held_is_counted_and_judged(tenant: Tenant, time: runs.Clock) -> None:
    pros = {"field": "attributes.plan", "op": "is", "value": "pro"}
    late = runs.people(tenant, 10, prefix="late")
    runs.people(tenant, 1, prefix="pro", attributes={"plan": "pro"})
    spring = scheduled(tenant, audience={"include": pros})
    Recipient.objects.filter(id__in=late[:4]).update(attributes={"plan": "pro"})
    run = fired(spring, time)
    decide(tenant, asked(tenant, spring))
    Recipient.objects.filter(id__in=late[:7]).update(attributes={"plan": "pro"})
    resume(run)
    assert is_held(run)
    assert run.pause_detail == "8 people are meant now; 5 were approved, and 50 % more are allowed."
    refused(Code.APPROVAL_VOID, resume, run)
    decide(tenant, asked(tenant, spring))
    resume(run)
    assert pages() == [8] and runs.run_of(spring).audience_size == 8


def test_up_to_the_limit_it_goes_out(tenant: Tenant, time: runs.Clock) -> None:
    spring = scheduled(tenant)
    runs.people(tenant, 1, prefix="new")
    assert fired(spring, time).status == "running"
    assert pages() == [4] and state(spring) == ("running", [])


def test_a_limit_that_was_lowered_after_the_launch_holds_it(tenant: Tenant, time: runs.Clock) -> None:
    spring = scheduled(tenant)
    Policy.objects.of(tenant).update(approval_above_people=2)
    run = fired(spring, time)
    assert is_held(run)
    assert run.pause_detail == "It is for 3 people; above 2 somebody else has to approve it."


def test_a_limit_that_was_raised_meanwhile_frees_it(tenant: Tenant, held: Run) -> None:
    Policy.objects.of(tenant).update(approval_above_people=5)
    marketer = roles_cast.staff("nina", marketer=(tenant,))
    assert is_held(held)
    refused(Code.CAMPAIGN_STATE, asked, tenant, Campaign.objects.of(tenant).get())
    page = marketer.get(f"/admin/campaigns/run/{held.id}/progress/").content.decode()
    assert "needs no approval any more: it may be resumed." in page and ">Resume" in page
    resume(held)
    assert pages() == [5]


@pytest.mark.parametrize(
    ("grows", "said"),
    [
        ("price", "It may cost 0.06 EUR; above 0.03 EUR somebody else has to approve it."),
        ("people", "It may cost 0.04 EUR; above 0.03 EUR somebody else has to approve it."),
        ("limit", "It may cost 0.03 EUR; above 0.02 EUR somebody else has to approve it."),
    ],
)
def test_so_does_what_it_costs_when_its_time_comes(tenant: Tenant, time: runs.Clock, grows: str, said: str) -> None:
    forget_cached()
    ProviderAccount.objects.create(
        tenant_id=tenant.id, key="acme-mail", provider="sandbox", channel="email", sender="a@b.test"
    )
    cast.price("email", cast.CENT, valid_from=LAST_YEAR)
    Policy.objects.of(tenant).update(approval_above_micros=3 * cast.CENT)
    spring = scheduled(tenant, mode="live", category="social")
    match grows:
        case "price":
            cast.price("email", 2 * cast.CENT, valid_from=clock.now())
        case "people":
            runs.people(tenant, 1, prefix="new")
        case "limit":
            Policy.objects.of(tenant).update(approval_above_micros=2 * cast.CENT)
    run = fired(spring, time)
    assert is_held(run) and run.pause_detail == said
    decide(tenant, asked(tenant, spring))
    resume(run)
    assert sum(pages()) == run.audience_size


def test_each_time_of_a_recurring_one_is_judged(tenant: Tenant, time: runs.Clock) -> None:
    spring = scheduled(tenant, schedule=DAILY)
    assert ended(fired(spring, time)) == [3]
    runs.people(tenant, 2, prefix="new")
    second = fired(spring, time, day=2)
    assert is_held(second)
    decide(tenant, asked(tenant, spring))
    resume(second)
    assert ended(second) == [5]
    assert ended(fired(spring, time, day=3)) == [5], "that was approved"
    runs.people(tenant, 3, prefix="newer")
    fourth = fired(spring, time, day=4)
    assert is_held(fourth) and fourth.pause_reason == "approval_void"
    assert fourth.pause_detail == "8 people are meant now; 5 were approved, and 50 % more are allowed."


def test_the_glass_is_broken_for_that_run_alone(tenant: Tenant, time: runs.Clock) -> None:
    spring = scheduled(tenant, schedule=DAILY)
    runs.people(tenant, 2, prefix="new")
    first = fired(spring, time)
    said = {"tenant": tenant, "campaign_id": spring.id, "actor": OTTO, "now": clock.now()}
    refused(Code.MISSING_FIELD, resume_unapproved, **said, comment=" ")
    assert is_held(first) and state(spring) == ("paused", [])
    resume_unapproved(**said, comment="The sale ends at noon.")
    assert ended(first) == [5] and state(spring) == ("scheduled", ["broken"])
    alert = Alert.objects.all_tenants().get(kind="broken_glass")
    assert alert.text == "otto went on with Spring without the approval that it needs: The sale ends at noon."
    entry = AuditEntry.objects.of(tenant).get(action="broken_glass")
    assert (entry.actor, entry.said) == ("otto", "Went on without an approval: The sale ends at noon.")
    second = fired(spring, time, day=2)
    assert is_held(second) and second.pause_detail == MANY


def test_the_glass_of_a_launch_is_broken_for_its_first_run_alone(tenant: Tenant, time: runs.Clock) -> None:
    runs.people(tenant, 2, prefix="new")
    spring = runs.campaign(tenant, editors=["mira"], schedule=DAILY)
    launch(tenant, spring, breaks_glass=True, comment="The sale ends at noon.")
    assert ended(fired(spring, time)) == [5]
    second = fired(spring, time, day=2)
    assert is_held(second) and second.pause_detail == MANY
    assert state(spring) == ("paused", ["broken"])


def test_it_is_broken_for_as_many_as_there_were(tenant: Tenant, time: runs.Clock) -> None:
    runs.people(tenant, 2, prefix="new")
    spring = runs.campaign(tenant, editors=["mira"], schedule=NINE)
    launch(tenant, spring, breaks_glass=True, comment="The sale ends at noon.")
    runs.people(tenant, 3, prefix="newer")
    run = fired(spring, time)
    assert is_held(run)
    assert run.pause_detail == "8 people are meant now; the glass was broken for 5, and 50 % more are allowed."


def test_what_was_approved_before_needs_nothing_where_no_approval_is_needed(tenant: Tenant, time: runs.Clock) -> None:
    """At the launch and at its time alike."""
    spring = runs.campaign(tenant, editors=["mira"], schedule=NINE)
    decide(tenant, asked(tenant, spring))
    runs.people(tenant, 4, prefix="new")
    refused(Code.APPROVAL_VOID, launch, tenant, spring)
    Campaign.objects.of(tenant).update(status="approved")
    Approval.objects.of(tenant).update(decision="approved")
    Policy.objects.of(tenant).update(approval_above_people=7)
    launch(tenant, spring)
    assert fired(spring, time).status == "running"
    assert pages() == [7]


def test_the_people_of_the_launch_are_those_that_were_approved(tenant: Tenant, time: runs.Clock) -> None:
    Policy.objects.of(tenant).update(approval_above_people=2)
    spring = runs.campaign(tenant, editors=["mira"], schedule=NINE, is_frozen=True)
    decide(tenant, asked(tenant, spring))
    launch(tenant, spring)
    runs.begin()
    runs.people(tenant, 4, prefix="new")
    assert fired(spring, time).status == "running"
    assert pages() == [3]


def test_a_pause_before_its_time_changes_nothing(tenant: Tenant, time: runs.Clock) -> None:
    spring = scheduled(tenant)
    launching.pause(campaign_id=spring.id, tenant_id=tenant.id, by="mira")
    runs.people(tenant, 2, prefix="new")
    launching.resume(campaign_id=spring.id, tenant_id=tenant.id, by="mira")
    assert is_held(fired(spring, time))
