"""manage.py rotate_api_key acme 3fA9xK2q --overlap-hours 24"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.problems import Problem
from apps.tenants.management.commands.create_api_key import log_key, named_tenant, print_key
from apps.tenants.selectors import key_id_by_prefix
from apps.tenants.services import rotate_api_key


class Command(BaseCommand):
    help = "Give a key a new secret; the old one works on for the overlap. The token goes to standard output, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="of the tenant")
        parser.add_argument("prefix", help="the 8 characters after ntf_<mode>_")
        parser.add_argument("--overlap-hours", type=float, default=24.0)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = named_tenant(options["slug"])
        key_id = key_id_by_prefix(tenant, options["prefix"])
        if key_id is None:
            raise CommandError(f"{tenant.slug} has no key {options['prefix']}.")
        try:
            key = rotate_api_key(tenant=tenant, key_id=key_id, overlap=timedelta(hours=options["overlap_hours"]))
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        log_key("rotate", tenant, key.prefix)
        print_key(self, key)
