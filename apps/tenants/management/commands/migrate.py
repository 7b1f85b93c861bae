"""manage.py migrate: Django's, and then the roles' groups, so that no installation is without them."""

from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import connection

from apps.tenants.roles import make_roles


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not options["plan"] and not options["check_unapplied"] and _has_groups():
            make_roles()


def _has_groups() -> bool:
    """False while a single app is migrated, or all are taken back."""
    return {"auth_group", "auth_permission"} <= set(connection.introspection.table_names())
