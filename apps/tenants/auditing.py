"""The audit log: who changed what, when, from what to what. Written in the transaction of the change, so that neither is without the
other; the database refuses to change or delete what is written.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.db import connection, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, ids
from apps.core.types import Caller
from apps.tenants import models
from apps.tenants.authentication import caller_of
from apps.tenants.differences import cleaned, difference

Row = Mapping[str, Any]
_OF_EVERY_ROW = frozenset({"id", "tenant_id", "created_at", "updated_at"})
_CALLED = ("key", "name", "topic", "file_name", "masked", "id")


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind`: user, key, command, person, system (by itself)."""

    kind: str
    id: str
    name: str


COMMAND = Actor("command", "", "command line")
PERSON = Actor("person", "", "the person")


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


def record_download(
    *, actor: Actor, tenant_id: UUID, kind: str, object_id: UUID, label: str, what: str, rows: int
) -> None:
    """Before the first line of a file with people or addresses leaves; whoever stops reading has it, too."""
    said = f"Downloaded {what}: {rows:,} {'row' if rows == 1 else 'rows'}."
    record(actor=actor, tenant_id=tenant_id, action="download", kind=kind, object_id=object_id, label=label, said=said)


def is_newest(*, actor: Actor, kind: str, object_id: object, said: Collection[str]) -> bool:
    """Whether the last that happened to the object is of this actor, and one of these sentences."""
    rows = models.AuditEntry.objects.all_tenants().filter(kind=kind, object_id=str(object_id)).order_by("-id")
    last = rows.values_list("actor_kind", "actor_id", "said").first()
    return last is not None and last[:2] == (actor.kind, actor.id) and last[2] in said


def audited(kind: str, *, action: str = "", is_long: bool = False, **columns: str) -> Callable[[Any], Any]:
    """For a method of an API view that changes a setting: `@audited("events.eventtype", key="key")`.

    The row is looked at before and after, in one transaction with the change. `columns`: which of its columns is which part of the
    address (`either`: of the id or the key); none: a row made under a new id, which the answer tells. `action`: what is done, where
    neither add, change nor delete says it. `is_long`: it renders for seconds, and no transaction may wait for that.
    """

    def decorate(method: Any) -> Any:
        @wraps(method)
        def view(self: Any, request: Request, **path: Any) -> Response:
            caller = caller_of(request)
            where = dict(_named(column, path[part]) for column, part in columns.items())
            with nullcontext() if is_long else transaction.atomic():
                before = row_of(kind, caller.tenant.id, where) if where else {}
                answer: Response = method(self, request, **path)
                after = row_of(kind, caller.tenant.id, where or dict([_named("id", getattr(answer.data, "id", ""))]))
                note(request, kind, before, after, action=action)
            return answer

        return view

    return decorate


def note(request: Request, kind: str, before: Row, after: Row, *, action: str = "") -> None:
    """Of a row of the caller's tenant, as `row_of` gave it before and after."""
    caller, row = caller_of(request), after or before
    if row:
        record(
            actor=key(caller),
            tenant_id=caller.tenant.id,
            action=action or ("add" if not before else "delete" if not after else "change"),
            kind=kind,
            object_id=row.get("id", ""),
            label=next((str(row[name]) for name in _CALLED if row.get(name)), ""),
            said=f"{action.replace('_', ' ').capitalize()}." if action else "",
            before=_facts(before),
            after=_facts(after),
        )


def row_of(kind: str, tenant_id: UUID, where: Mapping[str, Any]) -> Row:
    """Its columns; {} when there is none. `kind`: a model's label. The log alone looks into every app's tables, and only at one row."""
    return apps.get_model(kind)._default_manager.of(tenant_id).filter(**where).values().first() or {}


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


def _facts(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _OF_EVERY_ROW}


def _named(column: str, shown: str) -> tuple[str, Any]:
    """Ids as they are in the table, whatever they are shown as."""
    id_ = ids.find(shown) if column in ("id", "either") else None
    return (
        ("id", id_) if column == "id" or id_ else ("key" if column == "either" else column, shown.replace("\x00", ""))
    )
