"""manage.py join_tenant vera acme support: gives somebody of the staff a role in a tenant; --leave takes it back."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.tenants.auditing import COMMAND, record
from apps.tenants.management.commands.create_api_key import named_tenant
from apps.tenants.memberships import join, leave
from apps.tenants.roles import Role


class Command(BaseCommand):
    help = "Give somebody of the staff a role in a tenant."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("slug", help="of the tenant")
        parser.add_argument("role", choices=[role.value for role in Role])
        parser.add_argument("--leave", action="store_true", help="take the role back")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant, role = named_tenant(options["slug"]), Role(options["role"])
        user = User.objects.filter(username=options["username"], is_staff=True).first()
        if user is None:
            raise CommandError(f"Nobody of the staff is called {options['username']}.")
        (leave if options["leave"] else join)(user_id=user.pk, tenant=tenant, role=role)
        record(
            actor=COMMAND,
            tenant_id=tenant.id,
            action="leave" if options["leave"] else "join",
            kind="tenants.membership",
            label=f"{user.get_username()}, {role} of {tenant.name}",
        )
