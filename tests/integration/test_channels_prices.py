"""Whose prices count for whom."""

from datetime import timedelta

import pytest

from apps.channels import prices
from apps.core import clock
from apps.core.enums import Channel
from apps.core.tenant_scope import View, looking
from tests.integration import campaign_agreements_cast as cast
from tests.integration.templates_cast import tenant

pytestmark = pytest.mark.django_db


def test_prices_of_all_count_for_who_sees_one_tenant_and_prices_of_others_for_nobody() -> None:
    acme, beta = tenant(), tenant("beta")
    now = clock.now()
    cast.price("email", 900, 1_100, valid_from=now - timedelta(days=1))
    cast.price("sms", 70_000, valid_from=now - timedelta(days=1), tenant_id=beta.id)
    with looking(View(frozenset({acme.id}))):
        known = prices.tariff(acme.id, "EUR")
        assert known.rate(Channel.EMAIL, at=now) == prices.Rate(900, 1_100)
        assert known.rate(Channel.SMS, at=now) is None
        assert prices.currencies(acme.id, Channel.EMAIL) == {"EUR"}
        assert prices.currencies(acme.id, Channel.SMS) == frozenset()
