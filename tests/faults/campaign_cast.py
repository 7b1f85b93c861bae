"""Run beside the service: makes a crowd and launches a campaign for it, as standard input says ({people, throttle, prefix}, and if
wished {campaigns, schedule})."""

import json
import sys
from typing import Any
from uuid import UUID


def main() -> None:
    import django

    django.setup()
    sys.stdout.write(json.dumps(launched(json.loads(sys.stdin.read()))))


def launched(asked: dict[str, Any]) -> dict[str, Any]:
    """Of 100 people two share an address with another one, and ten have other plans."""
    from django.db import connection

    from apps.tenants.selectors import tenant_by_slug
    from tests.bench import campaigning, crowd

    tenant = tenant_by_slug(asked["prefix"])
    if tenant is None:
        tenant = campaigning.invited(0, asked["prefix"])
        crowd.gather(tenant.id, asked["people"])
        with connection.cursor() as cursor:
            cursor.execute(_SHARED, {"tenant": tenant.id})
            cursor.execute(_LEAVING, {"tenant": tenant.id})
    made = [_campaign(tenant.id, asked) for _ in range(asked.get("campaigns", 1))]
    return {"tenant": str(tenant.id), "campaign": str(made[-1]) if made else ""}


def _campaign(tenant_id: UUID, asked: dict[str, Any]) -> UUID:
    from apps.campaigns import launching
    from apps.campaigns.models import Campaign, Variant
    from apps.core import clock

    campaign = Campaign.objects.create(
        tenant_id=tenant_id,
        name="Spring",
        mode="test",
        channels=["email"],
        audience={"include": {"field": "attributes.plan", "op": "in", "value": ["pro", "free"]}},
        schedule=asked.get("schedule", {}),
        throttle=asked["throttle"],
        created_by="faults",
        changed_by="faults",
    )
    Variant.objects.create(tenant_id=tenant_id, campaign=campaign, position=0, name="A", template_key="spring")
    launching.launch(campaign_id=campaign.id, tenant_id=tenant_id, by="faults", now=clock.now())
    launched: UUID = campaign.id
    return launched


_SHARED = """
UPDATE audience_endpoint e SET address_hash = o.address_hash, masked = o.masked, sealed = e.sealed
FROM audience_recipient r, audience_recipient b, audience_endpoint o
WHERE e.recipient_id = r.id AND r.tenant_id = %(tenant)s AND substr(r.user_id, 3)::int %% 50 = 7
    AND b.tenant_id = r.tenant_id AND b.user_id = 'c_' || (substr(r.user_id, 3)::int + 1) AND o.recipient_id = b.id
"""
_LEAVING = """
UPDATE audience_recipient SET attributes = '{"plan": "none", "first_name": "No"}'
WHERE tenant_id = %(tenant)s AND substr(user_id, 3)::int %% 10 = 3
"""

if __name__ == "__main__":
    main()
