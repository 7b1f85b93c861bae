"""manage.py revoke_api_key acme 3fA9xK2q"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.tenants.management.commands.create_api_key import log_key, named_tenant
from apps.tenants.selectors import key_id_by_prefix
from apps.tenants.services import revoke_api_key


class Command(BaseCommand):
    help = "Revoke a key for good. Every process refuses it within 2 seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="of the tenant")
        parser.add_argument("prefix", help="the 8 characters after ntf_<mode>_")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = named_tenant(options["slug"])
        key_id = key_id_by_prefix(tenant, options["prefix"])
        if key_id is None or not revoke_api_key(tenant=tenant, key_id=key_id):
            raise CommandError(f"{tenant.slug} has no key {options['prefix']} that is not revoked yet.")
        log_key("revoke", tenant, options["prefix"])
        self.stderr.write("Revoked.")
