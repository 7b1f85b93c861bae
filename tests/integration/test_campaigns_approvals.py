"""Four eyes: who may agree, to what, and until when it holds."""

from typing import Any

import pytest

from apps.campaigns import approving, covering
from apps.campaigns.agreeing import launch_by_key, launch_by_person
from apps.campaigns.models import Approval, Campaign, Policy
from apps.channels.models import Alert
from apps.core import clock, ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Tenant
from apps.tenants.auditing import Actor
from apps.tenants.models import AuditEntry
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast

pytestmark = pytest.mark.django_db
MIRA = Actor("user", "1", "mira")


@pytest.fixture
def tenant() -> Tenant:
    tenant = runs.acme()
    cast.policy(tenant, approval_above_people=2, growth_percent=50)
    runs.people(tenant, 3)
    return tenant


@pytest.fixture
def spring(tenant: Tenant) -> Campaign:
    return runs.campaign(tenant, editors=["mira"])


def asked(tenant: Tenant, campaign: Campaign) -> Any:
    return approving.ask(tenant=tenant, campaign_id=campaign.id, by="mira", note="For Monday.", now=clock.now())


def decide(tenant: Tenant, approval: Any, by: str = "anna", approves: bool = True, comment: str = "") -> Any:
    return approving.decide(
        tenant=tenant, approval_id=approval, by=by, approves=approves, comment=comment, now=clock.now()
    )


def launch(tenant: Tenant, campaign: Campaign, actor: Actor = MIRA, **more: Any) -> None:
    launch_by_person(tenant=tenant, campaign_id=campaign.id, actor=actor, now=clock.now(), **more)


def state(campaign: Campaign) -> tuple[str, list[str]]:
    row = Campaign.objects.all_tenants().get(id=campaign.id)
    decisions = Approval.objects.all_tenants().filter(campaign_id=campaign.id).order_by("id")
    return row.status, list(decisions.values_list("decision", flat=True))


def refused(code: Code, what: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(Problem) as caught:
        what(*args, **more)
    assert caught.value.code is code, caught.value.detail
    return caught.value.detail


def test_above_the_limit_somebody_else_has_to_agree(tenant: Tenant, spring: Campaign) -> None:
    said = refused(Code.APPROVAL_NEEDED, launch, tenant, spring)
    assert said == "It is for 3 people; above 2 somebody else has to approve it."
    assert state(spring) == ("draft", [])
    approval = asked(tenant, spring)
    assert state(spring) == ("in_review", ["asked"])
    refused(Code.APPROVAL_NEEDED, launch, tenant, spring)
    decide(tenant, approval, comment="Good.")
    assert state(spring) == ("approved", ["approved"])
    launch(tenant, spring)
    assert state(spring) == ("scheduled", ["approved"])
    kept = Approval.objects.of(tenant).get()
    assert (kept.people, kept.asked_by, kept.decided_by, kept.comment) == (3, "mira", "anna", "Good.")
    assert AuditEntry.objects.of(tenant).get(action="launch").actor == "mira"


def test_below_the_limit_nobody_has_to(tenant: Tenant, spring: Campaign) -> None:
    Policy.objects.of(tenant).update(approval_above_people=3)
    launch(tenant, spring)
    assert state(spring) == ("scheduled", [])


def test_a_cost_above_the_limit_needs_one_too() -> None:
    seen = covering.needs(Policy(approval_above_micros=5_000_000), people=1, cost_high=5_000_001)
    assert seen == "It may cost 5.00 EUR; above 5.00 EUR somebody else has to approve it."
    assert covering.needs(Policy(approval_above_micros=5_000_000), people=1, cost_high=5_000_000) == ""


@pytest.mark.parametrize("by", ["mira", "otto"])
def test_nobody_agrees_to_what_they_wrote_or_asked_for(tenant: Tenant, spring: Campaign, by: str) -> None:
    """Otto corrected a comma."""
    Campaign.objects.of(tenant).filter(id=spring.id).update(editors=["mira", "otto"])
    approval = asked(tenant, spring)
    refused(Code.OWN_WORK, decide, tenant, approval, by=by)
    assert state(spring) == ("in_review", ["asked"])


def test_changes_are_asked_for_with_words(tenant: Tenant, spring: Campaign) -> None:
    approval = asked(tenant, spring)
    refused(Code.MISSING_FIELD, decide, tenant, approval, approves=False, comment=" ")
    assert state(spring) == ("in_review", ["asked"])
    decide(tenant, approval, approves=False, comment="The date is wrong.")
    assert state(spring) == ("draft", ["returned"])
    refused(Code.CONFLICT, decide, tenant, approval)


def test_it_is_void_when_the_audience_grew(tenant: Tenant, spring: Campaign) -> None:
    decide(tenant, asked(tenant, spring))
    runs.people(tenant, 1, prefix="new")
    assert approving.check_at_launch(tenant, approving.considered(tenant, spring.id, clock.now())).startswith(
        "It is for 4"
    )
    runs.people(tenant, 1, prefix="newer")
    said = refused(Code.APPROVAL_VOID, launch, tenant, spring)
    assert said == "5 people are meant now; 3 were approved, and 50 % more are allowed."
    assert state(spring) == ("draft", ["void"])
    refused(Code.APPROVAL_NEEDED, launch, tenant, spring)


def test_it_is_void_when_a_template_was_published_again(tenant: Tenant, spring: Campaign) -> None:
    decide(tenant, asked(tenant, spring))
    templates_cast.publish(tenant, "spring", templates_cast.email(runs.LETTER + "<p>And more.</p>"))
    refused(Code.APPROVAL_VOID, launch, tenant, spring)
    assert state(spring) == ("draft", ["void"])


def test_what_changed_while_it_was_looked_at_is_not_approved(tenant: Tenant, spring: Campaign) -> None:
    approval = asked(tenant, spring)
    templates_cast.publish(tenant, "spring", templates_cast.email(runs.LETTER + "<p>And more.</p>"))
    refused(Code.APPROVAL_VOID, decide, tenant, approval)
    assert state(spring) == ("draft", ["void"])


def test_breaking_the_glass_is_kept_audited_and_told(tenant: Tenant, spring: Campaign) -> None:
    refused(Code.MISSING_FIELD, launch, tenant, spring, breaks_glass=True)
    assert state(spring) == ("draft", [])
    launch(tenant, spring, breaks_glass=True, comment="The shop is on fire.")
    assert state(spring) == ("scheduled", ["broken"])
    alert = Alert.objects.of(tenant).get(kind="broken_glass")
    assert alert.subject == ids.show(ids.CAMPAIGN, spring.id)
    assert alert.text == "mira launched Spring without the approval that it needs: The shop is on fire."
    entry = AuditEntry.objects.of(tenant).get(action="broken_glass")
    assert entry.said == "Launched without an approval: The shop is on fire."


def test_the_glass_is_not_broken_where_none_is_needed(tenant: Tenant, spring: Campaign) -> None:
    Policy.objects.of(tenant).update(approval_above_people=3)
    launch(tenant, spring, breaks_glass=True)
    assert state(spring) == ("scheduled", [])
    assert not Alert.objects.all_tenants().exists()


def test_a_key_needs_none_unless_the_policy_says_so(tenant: Tenant, spring: Campaign) -> None:
    key = Actor("key", "k", "key shop")
    Policy.objects.of(tenant).update(approval_for_keys=True)
    refused(Code.APPROVAL_NEEDED, launch_by_key, tenant=tenant, campaign_id=spring.id, actor=key, now=clock.now())
    Policy.objects.of(tenant).update(approval_for_keys=False)
    launch_by_key(tenant=tenant, campaign_id=spring.id, actor=key, now=clock.now())
    assert state(spring) == ("scheduled", [])


@pytest.mark.parametrize(("more", "status"), [(1, "running"), (2, "paused")])
def test_it_is_looked_at_once_more_when_its_time_has_come(
    tenant: Tenant, spring: Campaign, more: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(tenant, asked(tenant, spring))
    launch(tenant, spring)
    runs.people(tenant, more, prefix="new")
    runs.Clock(monkeypatch)
    runs.begin()
    run = runs.run_of(spring)
    assert (run.status, Campaign.objects.of(tenant).get().status) == (status, status)
    if status == "running":
        assert runs.expand() == [4]
        return
    assert runs.expand() == []
    assert run.pause_detail == "5 people are meant now; 3 were approved, and 50 % more are allowed."


def test_other_tenants_approvals_do_not_exist(tenant: Tenant, spring: Campaign) -> None:
    beta = templates_cast.tenant("beta")
    approval = asked(tenant, spring)
    refused(Code.NOT_FOUND, decide, beta, approval)
    refused(Code.NOT_FOUND, approving.considered, beta, spring.id, clock.now())
    assert state(spring) == ("in_review", ["asked"])


def test_what_is_lacking_stops_it(tenant: Tenant) -> None:
    empty = runs.campaign(tenant, templates=("nowhere",), audience={}, editors=["mira"])
    with pytest.raises(Problem) as caught:
        launch(tenant, empty)
    assert caught.value.code is Code.CAMPAIGN_NOT_READY
    assert [error.pointer for error in caught.value.errors] == ["/audience", "/content"]
    assert state(empty) == ("draft", [])


def test_a_launch_lost_to_a_change_does_nothing(
    tenant: Tenant, spring: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    Policy.objects.of(tenant).update(approval_above_people=30)

    def meanwhile(*_: Any) -> None:
        Campaign.objects.of(tenant).filter(id=spring.id).update(throttle=5, version=2)

    monkeypatch.setattr("apps.campaigns.agreeing._check_budget", meanwhile)
    refused(Code.STALE_VERSION, launch, tenant, spring)
    assert state(spring) == ("draft", [])
