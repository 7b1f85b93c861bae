"""Makes tenants with a key each. Standard input: JSON list of slugs; prints a JSON object of tokens."""

import json
import sys

import django

MUCH = 1_000_000


def main() -> None:
    django.setup()
    from apps.core.enums import KeyMode, Scope
    from apps.tenants.services import create_api_key, create_tenant

    tokens = {}
    for slug in json.load(sys.stdin):
        tenant = create_tenant(slug=slug, name=slug.title(), rate_per_second=MUCH, rate_burst=MUCH)
        key = create_api_key(
            tenant=tenant, name="k", mode=KeyMode.TEST, scopes=list(Scope), rate_per_second=MUCH, rate_burst=MUCH
        )
        tokens[slug] = key.token
    sys.stdout.write(json.dumps(tokens))


if __name__ == "__main__":
    main()
