"""Budgets: exact to the message, whatever two workers do at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.campaigns import budgeting
from apps.campaigns.models import Campaign, Run, Spending
from apps.core.types import Tenant
from tests.integration import campaign_agreements_cast as cast
from tests.integration.campaign_agreements_cast import CENT, EURO, NOON
from tests.integration.caps_cast import in_threads
from tests.integration.ingest_cast import acme, statements

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return acme()


def reserved(run: Run, now: Any = NOON, **wanted: list[int]) -> budgeting.Granted:
    return budgeting.reserve(tenant_id=run.tenant_id, run_id=run.id, wanted=wanted, now=now)


def booked() -> dict[tuple[Any, str, str], int]:
    rows = Spending.objects.all_tenants().values_list("subject_id", "channel", "day", "micros")
    return {(subject, channel, day.isoformat()): micros for subject, channel, day, micros in rows}


def test_it_stops_exactly_at_the_cap(tenant: Tenant) -> None:
    cast.policy(tenant, day_budgets={"sms": 10 * CENT})
    run = cast.run(cast.campaign(tenant))
    assert reserved(run, sms=[3 * CENT, 3 * CENT]).allowed == {"sms": 2}
    granted = reserved(run, sms=[2 * CENT, 2 * CENT, CENT])
    assert granted.allowed == {"sms": 2}
    assert granted.sentence == "The budget for sms of 2027-03-01, 0.10 EUR, is used up."
    assert booked() == {(tenant.id, "sms", "2027-03-01"): 10 * CENT}


def test_what_would_pass_it_is_not_booked(tenant: Tenant) -> None:
    cast.policy(tenant, day_budgets={"sms": 10 * CENT})
    run = cast.run(cast.campaign(tenant))
    assert reserved(run, sms=[11 * CENT, CENT]).allowed == {"sms": 0}
    assert booked() == {(tenant.id, "sms", "2027-03-01"): 0}


@pytest.mark.parametrize(("cap", "allowed"), [(8, 2), (9, 3), (0, 0)])
def test_it_is_exact_to_the_last_micro(tenant: Tenant, cap: int, allowed: int) -> None:
    cast.policy(tenant, day_budgets={"sms": cap})
    assert reserved(cast.run(cast.campaign(tenant)), sms=[3, 3, 3]).allowed == {"sms": allowed}


def test_the_next_day_has_a_budget_of_its_own(tenant: Tenant) -> None:
    cast.policy(tenant, day_budgets={"sms": CENT})
    run = cast.run(cast.campaign(tenant))
    assert reserved(run, sms=[CENT, CENT]).allowed == {"sms": 1}
    assert reserved(run, NOON + timedelta(hours=11, minutes=59), sms=[CENT]).allowed == {"sms": 0}
    assert reserved(run, NOON + timedelta(hours=12), sms=[CENT]).allowed == {"sms": 1}


def test_two_campaigns_share_the_tenants_day_and_not_their_own(tenant: Tenant) -> None:
    cast.policy(tenant, day_budgets={"sms": 10 * CENT})
    spring = cast.run(cast.campaign(tenant, budget={"sms": 4 * CENT}))
    summer = cast.run(cast.campaign(tenant), stamp=1_800_000_100_000)
    first = reserved(spring, sms=[CENT] * 8)
    assert first.allowed == {"sms": 4}
    assert first.sentence == "The campaign's budget for sms of 2027-03-01, 0.04 EUR, is used up."
    assert reserved(summer, sms=[CENT] * 8).allowed == {"sms": 6}


def test_the_total_holds_over_channels_runs_and_days(tenant: Tenant) -> None:
    campaign = cast.campaign(tenant, budget={"total": 5 * CENT})
    first, second = cast.run(campaign), cast.run(campaign, number=2)
    assert reserved(first, email=[CENT], sms=[CENT, CENT]).allowed == {"email": 1, "sms": 2}
    granted = reserved(second, NOON + timedelta(days=9), push=[0, 0], sms=[CENT] * 3)
    assert granted.allowed == {"push": 2, "sms": 2}
    assert granted.sentence == "The campaign's budget of 0.05 EUR is used up."
    assert booked() == {(campaign.id, "", "1970-01-01"): 5 * CENT}


def test_without_a_limit_nothing_is_written_or_waited_for(tenant: Tenant) -> None:
    cast.policy(tenant, day_budgets={"sms": CENT})
    run = cast.run(cast.campaign(tenant))
    with statements(2):
        assert reserved(run, email=[CENT] * 1_000) == budgeting.Granted({"email": 1_000})
    with statements(0):
        assert reserved(run, sms=[0] * 1_000) == budgeting.Granted({"sms": 1_000})
    assert booked() == {}


@pytest.mark.parametrize("size", [1, 10, 1_000])
def test_a_page_costs_four_statements_whatever_its_size(tenant: Tenant, size: int) -> None:
    cast.policy(tenant, day_budgets={"sms": EURO * 1_000, "email": EURO})
    run = cast.run(cast.campaign(tenant, budget={"total": EURO * 1_000}))
    with statements(4):
        assert reserved(run, sms=[CENT] * size, email=[1] * size).allowed == {"sms": size, "email": size}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_pass_it_together() -> None:
    """And what a worker set aside for a page that was never written is there again."""
    tenant = acme()
    cast.policy(tenant, day_budgets={"sms": 100 * CENT})
    run: Any = cast.run(cast.campaign(tenant, budget={"total": 90 * CENT}))

    def page() -> int:
        with transaction.atomic():
            return reserved(run, sms=[CENT] * 7).allowed["sms"]

    def lost() -> None:
        with transaction.atomic():
            reserved(run, sms=[CENT] * 7)
            transaction.set_rollback(True)

    lost()
    allowed = in_threads(2, page, times=10)
    assert sorted(allowed) == [0] * 7 + [6] + [7] * 12
    assert set(booked().values()) == {90 * CENT}
    Spending.objects.all_tenants().delete()
    Campaign.objects.all_tenants().delete()
