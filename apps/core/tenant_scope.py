"""Whose rows the admin shows to whoever looks: bound once for each request of the admin, obeyed by `.all_tenants()`.

Outside the admin, and for superusers, nothing is bound and nothing is left out.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_backends
from django.db.models import Q


@dataclass(frozen=True, slots=True)
class View:
    """`tenants`: whose rows. `is_whole`: they are all that there are, and what belongs to no tenant is seen, too."""

    tenants: frozenset[UUID]
    is_whole: bool = False

    def rows(self, path: str = "tenant_id") -> Q:
        """`path`: from a row to its tenant's id; empty for rows of no tenant, such as the clockwork."""
        if not path:
            return Q() if self.is_whole else Q(pk__in=[])
        own = Q(**{f"{path}__in": self.tenants})
        return own | Q(**{path: None}) if self.is_whole else own

    def covers(self, tenant_id: UUID | None) -> bool:
        return self.is_whole if tenant_id is None else tenant_id in self.tenants


NOTHING = View(frozenset())
_END = object()
_bound: ContextVar[View | None] = ContextVar("tenant_scope", default=None)


def bound() -> View | None:
    """None: everything."""
    return _bound.get()


@contextmanager
def looking(view: View | None) -> Iterator[None]:
    token = _bound.set(view)
    try:
        yield
    finally:
        _bound.reset(token)


def streamed(view: View | None, parts: Iterable[Any]) -> Iterator[Any]:
    """The parts of an answer that is made while it is sent, which is after its request is over."""
    step = partial(next, iter(parts), _END)
    while True:
        with looking(view):
            part = step()
        if part is _END:
            return
        yield part


def view_of(user: Any, *permissions: str) -> View | None:
    """Where a person has any of the permissions (without any named: where they are a member); None for everywhere.

    Never more than what is bound: on a page about one row, only its tenant.
    """
    if user.is_active and user.is_superuser:
        return bound()
    for backend in get_backends():
        if hasattr(backend, "view_of"):
            found: View = backend.view_of(user, permissions)
            return found
    return NOTHING


def seen_sql(column: str = "tenant_id") -> tuple[str, dict[str, list[UUID]]]:
    """The same for a statement written by hand: a condition and its parameters."""
    view = bound()
    return ("TRUE", {}) if view is None else (f"{column} = ANY(%(seen_tenants)s)", {"seen_tenants": list(view.tenants)})


def sees_all() -> bool:
    """Whether what belongs to no tenant is seen, too: the clockwork, the lanes, accounts that serve every tenant."""
    view = bound()
    return view is None or view.is_whole
