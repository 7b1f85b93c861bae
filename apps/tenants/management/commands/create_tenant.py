"""manage.py create_tenant acme --name "Acme" [--key-mode test --scopes admin]"""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.core.enums import KeyMode
from apps.core.problems import Problem
from apps.tenants.management.commands.create_api_key import add_key_arguments, log_key, print_key, read_scopes
from apps.tenants.services import create_api_key, create_tenant


class Command(BaseCommand):
    help = "Create a tenant with its first API key. The token goes to standard output, once; everything else to standard error."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--locale", default="en")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--email-from", default="", help="Name <address@domain>")
        add_key_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = read_scopes(options["scopes"])
        try:
            with transaction.atomic():
                tenant = create_tenant(
                    slug=options["slug"],
                    name=options["name"],
                    locale=options["locale"],
                    timezone=options["timezone"],
                    email_from=options["email_from"],
                )
                key = create_api_key(
                    tenant=tenant, name=options["key_name"], mode=KeyMode(options["key_mode"]), scopes=scopes
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        log_key("add", tenant, key.prefix)
        self.stderr.write(f"Created tenant {tenant.slug} ({tenant.id}).")
        print_key(self, key)
