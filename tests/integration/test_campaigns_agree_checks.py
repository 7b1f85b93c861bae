"""The checklist: each finding, and none where nothing is wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.campaigns import checking, forecasting
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
NOTHING = Estimate(0, 0, 0, "EUR", ())


@pytest.fixture
def tenant() -> Tenant:
    forget_cached()
    return runs.acme()


def codes(tenant: Tenant, campaign: Campaign, now: datetime | None = None) -> dict[str, str]:
    found = checking.findings(tenant, campaign, variants_of(tenant, campaign), now or clock.now())
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


def test_a_test_on_everybodys_own_clock_says_when_the_rest_is_sent(tenant: Tenant) -> None:
    test = {"share": 20, "metric": "clicked", "wait_minutes": 240, "rule": "automatic"}
    local = {"kind": "at", "start": "2030-01-07T09:00", "zone": "recipient"}
    both = {"templates": ("spring", "spring"), "test": test}
    row = runs.campaign(tenant, schedule=local, **both)
    found = {one.code: one for one in checking.findings(tenant, row, variants_of(tenant, row), clock.now())}
    assert found["rest_on_own_clocks"].severity == "info"
    assert found["rest_on_own_clocks"].text.endswith(
        "the others at 09:00 of each one's own day, after the winner is known."
    )
    assert "error" not in {one.severity for one in found.values()}

    def often(rule: str, zone: str = "recipient", **more: Any) -> str:
        schedule = {**local, "kind": "recurring", "rule": rule, "zone": zone}
        found = checked(tenant, schedule=schedule, **both | {"test": {**test, **more}})
        return found.get("test_outlasts_interval", "")

    assert often("FREQ=DAILY") == often("FREQ=DAILY;INTERVAL=2") == "error test"
    assert often("FREQ=DAILY;INTERVAL=3") == often("FREQ=WEEKLY") == often("FREQ=DAILY", "UTC") == ""
    assert often("FREQ=WEEKLY;BYDAY=MO,TU") == "error test"
    assert often("FREQ=WEEKLY", wait_minutes=7 * 24 * 60) == "error test"


def test_the_finish_of_a_test_on_everybodys_own_clock_is_that_of_the_rest(tenant: Tenant) -> None:
    runs.people(tenant, 1, timezone="Asia/Tokyo")
    test = {"share": 20, "metric": "clicked", "wait_minutes": 240, "rule": "automatic"}
    local = {"kind": "at", "start": "2030-01-07T09:00", "zone": "recipient"}
    ends = [
        forecasting.finish(tenant, runs.campaign(tenant, schedule=local, test=test), NOTHING, clock.now())
        for test in ({}, test, {**test, "wait_minutes": 24 * 60})
    ]
    assert [one.ends_at for one in ends if one] == [datetime(2030, 1, day, tzinfo=UTC) for day in (7, 8, 9)]


def variants_of(tenant: Tenant, row: Campaign) -> Any:
    return Variant.objects.of(tenant).filter(campaign_id=row.id).order_by("position")


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
