"""The audit log: who changed what, when, from what to what. Written in the transaction of the change, so that neither is without the
other; the database refuses to change or delete what is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import connection, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, ids
from apps.core.types import Caller
from apps.tenants import models
from apps.tenants.authentication import caller_of
from apps.tenants.differences import cleaned, difference

Reader = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind`: user, key, command."""

    kind: str
    id: str
    name: str


COMMAND = Actor("command", "", "command line")


def staff(user: Any) -> Actor:
    return Actor("user", str(user.pk), f"operator {user.get_username()}")


def key(caller: Caller) -> Actor:
    return Actor("key", str(caller.key_id), f"key {caller.key_name}")


def record(
    *,
    actor: Actor,
    tenant_id: UUID | None,
    action: str,
    kind: str,
    object_id: object = "",
    label: str = "",
    said: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """One row. `kind`: the model's label, `events.eventtype`. A change that changed nothing (and says nothing) is not written."""
    found = difference(before or {}, after or {})
    if action == "change" and not found and not said:
        return
    models.AuditEntry.objects.create(
        tenant_id=tenant_id,
        at=clock.now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor=actor.name[:150],
        action=action[:32],
        kind=kind,
        object_id=str(object_id)[:64],
        label=str(cleaned(label))[:200],
        said=str(cleaned(said))[:300],
        difference=found,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )


def audited(kind: str, *, read: Reader, action: str = "", label: str = "") -> Callable[[Any], Any]:
    """For a method of an API view that changes a setting. `read(tenant_id, **path)` gives its state as a frozen value or None; it is
    asked before and after, in one transaction with the change. Of what the method makes under a new id, `read` is asked with the
    answer's `id`. `label`: the field that names it; by default the last part of the address."""

    def decorate(method: Any) -> Any:
        @wraps(method)
        def view(self: Any, request: Request, **path: Any) -> Response:
            caller = caller_of(request)
            with transaction.atomic():
                old = read(caller.tenant.id, **path) if path else None
                answer: Response = method(self, request, **path)
                new = read(caller.tenant.id, **path) if path else answer.data
                before, after = _state(old), _state(new)
                verb = action or ("add" if old is None else "delete" if new is None else "change")
                if old is not None or new is not None:
                    state = after or before
                    record(
                        actor=key(caller),
                        tenant_id=caller.tenant.id,
                        action=verb,
                        kind=kind,
                        object_id=_id(state.get("id") or next(iter(path.values()), "")),
                        label=str(state.get(label) or "/".join(map(str, path.values()))),
                        said=f"{verb.replace('_', ' ').capitalize()}." if action else "",
                        before=_facts(before),
                        after=_facts(after),
                    )
            return answer

        return view

    return decorate


def prune(*, before: datetime) -> int:
    """Deletes what is older; the only way by which anything leaves the log, and itself in the log."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL notifier.erase_audit = 'on'")
            count: int = models.AuditEntry.objects.all_tenants().filter(id__lt=ids.bound(before)).delete()[0]
            cursor.execute("SET LOCAL notifier.erase_audit = 'off'")
        said = f"{count} entries from before {before:%Y-%m-%d} were deleted."
        record(actor=COMMAND, tenant_id=None, action="prune", kind="tenants.auditentry", said=said)
    return count


def _state(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else {"value": value}


def _facts(state: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in state.items() if name not in _OF_THE_ROW}


_OF_THE_ROW = frozenset({"id", "tenant_id", "created_at", "updated_at"})


def _id(value: object) -> str:
    """A row's id as the admin has it, whatever it is shown as."""
    found = ids.find(value) if isinstance(value, str) else value
    return str(found if found is not None else value)
