"""Makes the live tenant and its provider accounts, which point at simulators. Standard input: JSON list of accounts; prints the key.

An account: {"key", "simulator", "options", "url", "ca_bundle", "order", "settings"}.
"""

import json
import sys

import django

MUCH = 1_000_000


def main() -> None:
    django.setup()
    from apps.channels.services import create_account
    from apps.core.enums import Channel, KeyMode, Scope
    from apps.tenants.services import create_api_key, create_tenant
    from tests.simulators.__main__ import simulator

    tenant = create_tenant(slug="outside", name="Outside", rate_per_second=MUCH, rate_burst=MUCH)
    for one in json.load(sys.stdin):
        made = simulator(one["simulator"], one["options"])
        made.url = one["url"]
        create_account(
            tenant_id=tenant.id,
            key=one["key"],
            provider=one["simulator"],
            channel=Channel(made.channel),
            base_url=made.url,
            sender=made.sender,
            credentials=dict(made.credentials),
            webhook_secrets=made.webhook_secrets,
            settings={**made.settings, "ca_bundle": one["ca_bundle"], **one["settings"]},
            order=one["order"],
        )
    key = create_api_key(
        tenant=tenant,
        name="outside",
        mode=KeyMode.LIVE,
        scopes=list(Scope),
        rate_per_second=MUCH,
        rate_burst=MUCH,
    )
    sys.stdout.write(key.token)


if __name__ == "__main__":
    main()
