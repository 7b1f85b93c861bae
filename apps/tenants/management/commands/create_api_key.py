"""manage.py create_api_key acme --key-name checkout --key-mode live --scopes notifications:write notifications:read"""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.enums import KeyMode, Scope
from apps.core.types import Tenant
from apps.tenants.auditing import COMMAND, record
from apps.tenants.keys import IssuedKey
from apps.tenants.selectors import key_id_by_prefix, tenant_by_slug
from apps.tenants.services import create_api_key


class Command(BaseCommand):
    help = "Create an API key. The token goes to standard output, once; everything else to standard error."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="of the tenant")
        add_key_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = named_tenant(options["slug"])
        key = create_api_key(
            tenant=tenant,
            name=options["key_name"],
            mode=KeyMode(options["key_mode"]),
            scopes=read_scopes(options["scopes"]),
        )
        log_key("add", tenant, key.prefix)
        print_key(self, key)


def log_key(action: str, tenant: Tenant, prefix: str) -> None:
    id_ = key_id_by_prefix(tenant, prefix)
    said = f"{action.capitalize()}."
    record(
        actor=COMMAND,
        tenant_id=tenant.id,
        action=action,
        kind="tenants.apikey",
        object_id=id_ or "",
        label=prefix,
        said=said,
    )


def add_key_arguments(parser: CommandParser) -> None:
    parser.add_argument("--key-name", default="first key")
    parser.add_argument("--key-mode", choices=[mode.value for mode in KeyMode], default=KeyMode.TEST.value)
    parser.add_argument(
        "--scopes", nargs="+", default=[Scope.ADMIN.value], help=", ".join(scope.value for scope in Scope)
    )


def read_scopes(given: Iterable[str]) -> list[Scope]:
    try:
        return [Scope(scope) for scope in given]
    except ValueError as error:
        raise CommandError(f"{error}; scopes are {', '.join(scope.value for scope in Scope)}.") from error


def named_tenant(slug: str) -> Tenant:
    tenant = tenant_by_slug(slug)
    if tenant is None:
        raise CommandError(f"There is no tenant {slug}.")
    return tenant


def print_key(command: BaseCommand, key: IssuedKey) -> None:
    command.stderr.write(f"Key {key.prefix}. Its token, shown only this once:")
    command.stdout.write(key.token)
