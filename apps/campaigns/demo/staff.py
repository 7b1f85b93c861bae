"""Who works on the demo's campaigns: Mira writes them, Paul approves them, Sue helps people. They sign in with the admin's password."""

from typing import Any, NamedTuple

from django.contrib.auth import get_user_model

from apps.core.types import Tenant
from apps.tenants.auditing import Actor, staff
from apps.tenants.memberships import join
from apps.tenants.roles import Role

ROLES = {"mira": Role.MARKETER, "paul": Role.APPROVER, "sue": Role.SUPPORT}


class Staff(NamedTuple):
    mira: Actor
    paul: Actor


def hire(tenant: Tenant, password: str) -> Staff:
    """Without a password those who are new cannot sign in until somebody gives them one. Roles that were taken away come back."""
    users = {name: _user(name, password) for name in ROLES}
    for name, role in ROLES.items():
        join(user_id=users[name].pk, tenant=tenant, role=role)
    return Staff(staff(users["mira"]), staff(users["paul"]))


def _user(name: str, password: str) -> Any:
    """The password is set only when it differs: hashing takes its time."""
    user, is_new = get_user_model().objects.get_or_create(
        username=name, defaults={"is_staff": True, "first_name": name.title()}
    )
    if password and (is_new or not user.check_password(password)):
        user.set_password(password)
        user.save()
    elif is_new:
        user.set_unusable_password()
        user.save()
    return user
