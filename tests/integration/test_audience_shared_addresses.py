"""Which addresses are somebody else's, too: found by their hash alone, whatever PostgreSQL knows of the table."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from apps.audience import selectors
from apps.audience.models import Endpoint
from apps.core import clock, ids
from apps.core.rows import fetch
from apps.core.types import Tenant
from tests.integration import templates_cast

pytestmark = pytest.mark.django_db
_PEOPLE = """
INSERT INTO audience_recipient (id, created_at, updated_at, tenant_id, user_id, locale, timezone, attributes, preferences_version)
SELECT uuidv7(), now(), now(), %(tenant)s, 'u' || n, '', '', '{}', 0 FROM generate_series(1, %(count)s) n
"""
_ADDRESSES = """
INSERT INTO audience_endpoint (id, created_at, updated_at, tenant_id, recipient_id, channel, kind, sealed, address_hash, masked,
    platform, verified_at, retired_reason)
SELECT uuidv7(), now(), now(), tenant_id, id, 'email', 'email', '', sha256((substr(user_id, 2)::int / %(each)s)::text::bytea), '',
    '', now(), '' FROM audience_recipient
"""


def people(count: int, *, each: int) -> list[UUID]:
    """Their endpoints, in order; `each` people have one address."""
    tenant: Tenant = templates_cast.tenant()
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, {"tenant": tenant.id, "count": count})
        # a foreign key's check would keep the plan that was best when the table was empty, and read the whole of it for each row
        cursor.execute("DISCARD PLANS")
        cursor.execute(_ADDRESSES, {"each": each})
    return list(Endpoint.objects.of(tenant).order_by("recipient_id").values_list("id", flat=True))


def test_those_that_are_in_use_as_somebody_elses() -> None:
    alone, second, third, fourth, fifth = people(5, each=2)
    assert selectors.at_shared_addresses([alone, second, fifth]) == {second, fifth}
    Endpoint.objects.all_tenants().filter(id=third).update(retired_at=clock.now())
    assert selectors.at_shared_addresses([alone, second, third, fourth, fifth, ids.new()]) == {third, fourth, fifth}
    assert selectors.at_shared_addresses([]) == frozenset()


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("asked", [5, 500])
def test_no_other_index_is_read_for_it(is_known: bool, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    known = people(20_000, each=1)
    plans: list[str] = []

    def explain(sql: str, parameters: Any) -> Any:
        plans.extend(row[0] for row in fetch(f"EXPLAIN {sql}", parameters))
        return fetch(sql, parameters)

    if is_known:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE audience_endpoint")
    monkeypatch.setattr(selectors, "fetch", explain)
    assert selectors.at_shared_addresses(known[::20][:asked]) == frozenset()
    read = {
        word for line in plans if "Scan" in line for word in line.split() if word.startswith(("audience_", "endpoint_"))
    }
    assert read == {"audience_endpoint", "audience_endpoint_pkey", "endpoint_by_hash"}
    assert "Seq Scan" not in "\n".join(plans)
