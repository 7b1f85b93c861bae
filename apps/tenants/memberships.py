"""What somebody of the staff may do, and in which tenants: the permissions of their roles there.

Permissions and groups given to a user directly hold in every tenant they are a member of, and for what belongs to no tenant.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User

from apps.core.tenant_scope import NOTHING, View, bound, looking
from apps.core.types import Tenant
from apps.tenants import models, selectors
from apps.tenants.roles import Role, make_roles

_ROLES = "_permissions_by_tenant"


class MembershipBackend(ModelBackend):
    """A permission is had when it is had in any tenant that the page at hand is about: on the page of a row, in that row's tenant."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        own = super().get_all_permissions(user_obj, obj)
        if not user_obj.is_active or user_obj.is_anonymous or user_obj.is_superuser or obj is not None:
            return own
        view = bound()
        granted = (its for id_, its in _by_tenant(user_obj).items() if view is None or id_ in view.tenants)
        return own.union(*granted)

    def view_of(self, user: Any, permissions: Sequence[str] = ()) -> View:
        """Where a person has any of these permissions; where they are a member, when none is named."""
        if not user.is_active or user.is_anonymous:
            return NOTHING
        own = super().get_all_permissions(user)
        everywhere, view = not own.isdisjoint(permissions), bound()
        with looking(None):
            all_there_are = selectors.tenants().keys()
        tenants = frozenset(
            id_
            for id_, its in _by_tenant(user).items()
            if (not permissions or everywhere or not its.isdisjoint(permissions))
            and (view is None or id_ in view.tenants)
        )
        is_whole = everywhere or (bool(tenants) and tenants >= all_there_are)
        return View(tenants, is_whole and (view is None or view.is_whole))


def join(*, user_id: Any, tenant: Tenant, role: Role) -> None:
    """Joining twice joins once. A role that somebody deleted is made again."""
    if not Group.objects.filter(name=role.value).exists():
        make_roles()
    group = Group.objects.get(name=role.value)
    row = models.Membership(user_id=user_id, tenant_id=tenant.id, role=group)
    models.Membership.objects.bulk_create([row], ignore_conflicts=True)


def leave(*, user_id: Any, tenant: Tenant, role: Role) -> bool:
    rows = models.Membership.objects.of(tenant).filter(user_id=user_id, role__name=role.value)
    return bool(rows.delete()[0])


def _by_tenant(user: User) -> Mapping[UUID, frozenset[str]]:
    """One query, once for each user object, which is once a request."""
    found: Mapping[UUID, frozenset[str]] | None = getattr(user, _ROLES, None)
    if found is None:
        with looking(None):
            rows = models.Membership.objects.all_tenants().filter(user_id=user.pk)
        named = ("tenant_id", "role__permissions__content_type__app_label", "role__permissions__codename")
        gathered: dict[UUID, set[str]] = {}
        for tenant_id, app, codename in rows.values_list(*named):
            gathered.setdefault(tenant_id, set()).add(f"{app}.{codename}")
        found = {id_: frozenset(its) for id_, its in gathered.items()}
        setattr(user, _ROLES, found)
    return found
