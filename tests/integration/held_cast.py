"""Campaigns of Mira's that nobody had to approve at their launch, and their runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.campaigns import settling
from apps.campaigns.models import Campaign, Run
from apps.core import clock
from apps.core.types import Tenant
from apps.tenants.auditing import Actor
from tests.integration import campaign_agreements_cast as cast
from tests.integration import campaign_runs_cast as runs
from tests.integration.test_campaigns_approvals import launch, state
from tests.integration.test_campaigns_held import pages

KEY = Actor("key", "k", "key shop")
TODAY = clock.now().date()
NINE = {"kind": "at", "start": f"{TODAY + timedelta(days=1)}T09:00:00", "zone": "UTC"}
DAILY = NINE | {"kind": "recurring", "rule": "FREQ=DAILY"}
MANY = "It is for 5 people; above 4 somebody else has to approve it."


@pytest.fixture
def tenant() -> Tenant:
    """Somebody else has to agree to more than 4 people; there are 3."""
    tenant = runs.acme()
    cast.policy(tenant, approval_above_people=4, growth_percent=50)
    runs.people(tenant, 3)
    return tenant


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> runs.Clock:
    return runs.Clock(monkeypatch)


def scheduled(tenant: Tenant, **fields: Any) -> Campaign:
    """By Mira, who needed nobody's approval."""
    spring = runs.campaign(tenant, editors=["mira"], **{"schedule": NINE, **fields})
    launch(tenant, spring)
    assert state(spring) == ("scheduled", [])
    return spring


def fired(spring: Campaign, time: runs.Clock, day: int = 1) -> Run:
    """Its run of the nth day from now."""
    time.now = datetime.combine(TODAY + timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=9)
    runs.begin()
    return runs.run_of(spring)


def ended(run: Run) -> list[int]:
    """The people of its pages, after which it is over."""
    found = pages()
    run.refresh_from_db()
    settling.finish(run, clock.now())
    return found


@pytest.fixture
def held(tenant: Tenant, time: runs.Clock) -> Run:
    """At its time there are 5."""
    spring = scheduled(tenant)
    runs.people(tenant, 2, prefix="new")
    return fired(spring, time)
