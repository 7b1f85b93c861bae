"""The checklist: each finding, and none where nothing is wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.campaigns import checking
from apps.campaigns.costing import Estimate, Line
from apps.campaigns.measuring import Parts
from apps.campaigns.models import Campaign, Policy, Spending, Variant
from apps.channels.models import ProviderAccount
from apps.channels.selectors import forget_cached
from apps.core import clock
from apps.core.types import Tenant
from tests.integration import campaign_runs_cast as runs
from tests.integration import templates_cast
from tests.integration.campaign_agreements_cast import CENT, NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    forget_cached()
    return runs.acme()


def codes(tenant: Tenant, campaign: Campaign, now: datetime | None = None) -> dict[str, str]:
    variants = Variant.objects.of(tenant).filter(campaign_id=campaign.id).order_by("position")
    found = checking.findings(tenant, campaign, variants, now or clock.now())
    order = [finding.severity for finding in found]
    assert order == sorted(order, key=("error", "warning", "info").index)
    return {finding.code: f"{finding.severity} {finding.tab}" for finding in found}


def checked(tenant: Tenant, **fields: Any) -> dict[str, str]:
    return codes(tenant, runs.campaign(tenant, **fields))


def test_nothing_stops_what_is_whole(tenant: Tenant) -> None:
    assert "error" not in " ".join(checked(tenant, category="social").values())


def test_it_names_what_stops_a_launch(tenant: Tenant) -> None:
    assert checked(tenant, audience={})["no_audience"] == "error audience"
    assert checked(tenant, audience={"include": {"segment": "gone"}})["segment_gone"] == "error audience"
    assert checked(tenant, channels=[])["no_channel"] == "error content"
    assert checked(tenant, templates=())["no_variant"] == "error content"
    assert checked(tenant, templates=("",))["no_template"] == "error content"
    assert checked(tenant, channels=["email", "sms"])["no_content_for_channel"] == "error content"
    assert (
        checked(tenant, schedule={"kind": "at", "start": "2020-01-01T09:00", "zone": "UTC"})["time_is_over"]
        == "error delivery"
    )
    assert checked(tenant, mode="live")["no_account"] == "error review"


def test_a_draft_is_not_published(tenant: Tenant) -> None:
    templates_cast.draft(tenant, "summer", templates_cast.email(runs.LETTER))
    assert checked(tenant, templates=("summer",))["not_published"] == "error content"
    templates_cast.draft(tenant, "spring", templates_cast.email(runs.LETTER + "<p>More.</p>"))
    assert checked(tenant)["newer_draft"] == "warning content"


def test_marketing_says_how_to_leave(tenant: Tenant) -> None:
    templates_cast.publish(tenant, "bare", templates_cast.email("<p>Buy.</p>"), templates_cast.sms("Buy."))
    found = checked(tenant, templates=("bare",), channels=["email", "sms"])
    assert found["no_unsubscribe_link"] == "error content"
    assert found["no_stop_words"] == "warning content"
    found = checked(tenant, templates=("bare",), channels=["email", "sms"], category="transactional")
    assert not {"no_unsubscribe_link", "no_stop_words"} & found.keys()
    assert found["not_marketing"] == "warning content"


def test_a_sender_is_missing(tenant: Tenant) -> None:
    account = ProviderAccount.objects.create(tenant_id=tenant.id, key="acme-mail", provider="smtp", channel="email")
    forget_cached()
    assert checked(tenant, mode="live")["no_sender"] == "error review"
    ProviderAccount.objects.filter(id=account.id).update(sender="hello@acme.test")
    forget_cached()
    assert "no_sender" not in checked(tenant, mode="live")


def test_variants_in_other_languages_compare_languages(tenant: Tenant) -> None:
    templates_cast.publish(tenant, "both", templates_cast.email(runs.LETTER), templates_cast.email(runs.LETTER, "de"))
    assert checked(tenant, templates=("spring", "both"))["locale_gap"] == "warning content"
    assert "locale_gap" not in checked(tenant, templates=("both", "both"))


def estimate(low: int, high: int, **more: Any) -> Estimate:
    return Estimate(10, low, high, "EUR", (Line("sms", "", 10, low, high, 1),), **more)


def counted(row: Campaign, policy: Policy, found: Estimate) -> list[tuple[str, str]]:
    said = checking.counted_findings(row, found, policy, NOON)
    return [(finding.code, finding.severity) for finding in said]


def test_a_budget_refuses_what_is_surely_too_much_and_warns_of_what_may_be(tenant: Tenant) -> None:
    row = runs.campaign(tenant, channels=["sms"])
    policy = Policy(tenant_id=tenant.id, day_budgets={"sms": 10 * CENT})
    assert counted(row, policy, estimate(5 * CENT, 10 * CENT)) == []
    assert counted(row, policy, estimate(5 * CENT, 11 * CENT)) == [("over_budget", "warning")]
    assert counted(row, policy, estimate(11 * CENT, 12 * CENT)) == [("over_budget", "error")]
    policy.refuses_over_budget = False
    assert counted(row, policy, estimate(11 * CENT, 12 * CENT)) == [("over_budget", "warning")]
    Spending.objects.create(
        tenant_id=tenant.id,
        subject_id=tenant.id,
        channel="sms",
        day=datetime(2027, 3, 1, tzinfo=UTC).date(),
        micros=6 * CENT,
    )
    assert counted(row, policy, estimate(4 * CENT, 4 * CENT)) == []
    assert counted(row, policy, estimate(4 * CENT, 5 * CENT)) == [("over_budget", "warning")]


def test_the_campaigns_own_total_counts_too(tenant: Tenant) -> None:
    row = runs.campaign(tenant, channels=["sms"], budget={"total": 4 * CENT})
    assert counted(row, Policy(tenant_id=tenant.id), estimate(5 * CENT, 5 * CENT)) == [("over_budget", "error")]


def test_unknown_prices_and_failing_texts_are_said(tenant: Tenant) -> None:
    row, policy = runs.campaign(tenant, channels=["sms"]), Policy(tenant_id=tenant.id)
    assert counted(row, policy, estimate(0, 0, unpriced=("sms",))) == [("no_price", "warning")]
    assert counted(row, policy, estimate(0, 0, parts=Parts(sampled=200, failed=3))) == [("text_fails", "warning")]
    nobody = Estimate(0, 0, 0, "EUR", ())
    assert counted(row, policy, nobody) == [("nobody_meant", "warning")]
