"""Which columns hold cipher text, so that a change of the encryption key reaches all of them (manage.py rotate_encryption).

Every app registers its own in AppConfig.ready().
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.apps import apps
from django.db import connection

from apps.core import crypto


@dataclass(frozen=True)
class SealedColumn:
    """`model`: `app_label.Model`; `bound_to`: the UUID column whose bytes the cipher text is bound to."""

    model: str
    column: str
    bound_to: str = "id"


_columns: dict[tuple[str, str], SealedColumn] = {}


def register(model: str, column: str, bound_to: str = "id") -> None:
    _columns[model, column] = SealedColumn(model, column, bound_to)


def registered() -> tuple[SealedColumn, ...]:
    return tuple(_columns.values())


class Progress(NamedTuple):
    """Of one batch: rows sealed anew, and rows that no key at hand opens."""

    renewed: int
    lost: int


def reseal(column: SealedColumn, *, size: int = 500) -> Iterator[Progress]:
    """Seals everything under the current key, a batch a statement. May be stopped and begun again: what is done is skipped.

    A row that changes meanwhile is left as its writer wrote it (under the current key).
    """
    names = _Names.of(column)
    last: UUID | None = None
    while rows := _stale(names, last, size):
        last = rows[-1][0]
        renewed, lost = [], 0
        for row_id, bound_to, sealed in rows:
            try:
                plain = crypto.decrypt(sealed, bound_to=bound_to.bytes)
            except crypto.UndecipherableError:
                lost += 1
            else:
                renewed.append((row_id, bytes(sealed), crypto.encrypt(plain, bound_to=bound_to.bytes)))
        yield Progress(_replace(names, renewed), lost)


class _Names(NamedTuple):
    """Quoted, for SQL."""

    table: str
    key: str
    column: str
    bound_to: str

    @classmethod
    def of(cls, column: SealedColumn) -> "_Names":
        meta = apps.get_model(column.model)._meta
        quote = connection.ops.quote_name
        fields = (meta.get_field(name) for name in (column.column, column.bound_to))
        assert meta.pk is not None
        return cls(quote(meta.db_table), quote(meta.pk.column), *(quote(field.column) for field in fields))


def _stale(names: _Names, after: UUID | None, size: int) -> list[tuple[UUID, UUID, bytes]]:
    kid = crypto.current_key().encode()
    head = bytes([len(kid)]) + kid
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {names.key}, {names.bound_to}, {names.column} FROM {names.table}"
            f" WHERE (%s::uuid IS NULL OR {names.key} > %s) AND octet_length({names.column}) > 0"
            f" AND substring({names.column} FROM 1 FOR %s) <> %s ORDER BY {names.key} LIMIT %s",
            [after, after, len(head), head, size],
        )
        rows: list[tuple[UUID, UUID, bytes]] = cursor.fetchall()
        return rows


def _replace(names: _Names, rows: list[tuple[UUID, bytes, bytes]]) -> int:
    ids, old, new = zip(*rows, strict=True) if rows else ((), (), ())
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {names.table} AS t SET {names.column} = v.new"
            " FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[]) AS v (id, old, new)"
            f" WHERE t.{names.key} = v.id AND t.{names.column} = v.old",
            [list(ids), list(old), list(new)],
        )
        return int(cursor.rowcount)
