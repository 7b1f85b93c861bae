"""A run whose budget ends before its people do."""

from collections import Counter

import pytest

from apps.audience.models import Endpoint, Recipient
from apps.campaigns import expanding, launching, running
from apps.campaigns.models import Campaign, Policy, Run, Spending
from apps.channels.models import ProviderAccount
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.ledger.models import Delivery
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast
from tests.integration.test_campaigns_cost_ledger import LAST_YEAR

pytestmark = pytest.mark.django_db


def fates(run: Run) -> dict[tuple[str, str], int]:
    rows = Delivery.objects.of(run.tenant_id).filter(variant__isnull=False)
    return dict(Counter(rows.values_list("status", "reason")))


def test_it_stops_at_the_cap_says_so_and_goes_on_when_there_is_more() -> None:
    forget_cached()
    tenant = templates_cast.tenant()
    templates_cast.publish(tenant, "spring", templates_cast.email(runs.LETTER))
    ProviderAccount.objects.create(
        tenant_id=tenant.id, key="acme-mail", provider="sandbox", channel="email", sender="a@b.test"
    )
    cast.policy(tenant, day_budgets={"email": 700})
    cast.price("email", 100, valid_from=LAST_YEAR)
    runs.people(tenant, 20)
    campaign = runs.campaign(tenant, mode="live", category="social")
    launching.launch(campaign_id=campaign.id, tenant_id=tenant.id, by="mira", now=clock.now())
    runs.begin()
    run = runs.run_of(campaign)
    assert (run.estimate["high"], run.estimate["people"]) == (2_000, 20)
    first = expanding.expand_next(clock.now(), 5)
    assert first is not None and not first.sentence
    second = expanding.expand_next(clock.now(), 5)
    assert second is not None
    running.follow(second)
    day = clock.now().date().isoformat()
    assert second.sentence == f"The budget for email of {day}, 0.0007 EUR, is used up."
    assert fates(run) == {("queued", ""): 7, ("skipped", "over_budget"): 3}
    assert Spending.objects.of(tenant).get(subject_id=tenant.id).micros == 700
    run.refresh_from_db()
    assert (run.status, run.pause_reason, run.pause_detail) == ("paused", "budget", second.sentence)
    assert Campaign.objects.of(tenant).get().status == "paused"
    assert runs.alerts() == [("run_stopped", f"Spring ({run}): {second.sentence}")]
    assert runs.expand(5) == []

    Policy.objects.of(tenant).update(day_budgets={"email": 10_000})
    launching.resume(campaign_id=campaign.id, tenant_id=tenant.id, by="mira")
    assert runs.alerts() == []
    assert runs.expand(5) == [5, 5, 0]
    assert fates(run) == {("queued", ""): 17, ("skipped", "over_budget"): 3}
    assert Spending.objects.of(tenant).get(subject_id=tenant.id).micros == 1_700
    assert Recipient.objects.of(tenant).count() == Endpoint.objects.of(tenant).count() == 20
