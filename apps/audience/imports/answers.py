"""Imports as doors show them, and what they refused as CSV."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from apps.audience import models
from apps.core import crypto, ids
from apps.core.bodies import Answer
from apps.core.pagination import PageRequest, next_cursor

# what a spreadsheet takes for the beginning of a formula, in full width too (OWASP, CSV injection)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SIZE = 1_000


class ImportAnswer(Answer):
    """`lines`: of the file, header included; `checked` and `written`: how many of them were. `rows`: without header and blank lines;
    `refused` of them stay out; `doubled`: those about a person of an earlier row. `to_create`, `to_change`: people, as the check found
    them; `created`, `changed`, `added_addresses`: what was done. `rows_per_second`: lately; `seconds_left`: at that pace."""

    id: str
    state: str
    file_name: str
    by: str
    encoding: str
    delimiter: str
    size: int
    columns: list[str]
    mapping: dict[str, str]
    list: str | None
    lines: int
    checked: int
    written: int
    rows: int
    refused: int
    doubled: int
    addresses: int
    to_create: int
    to_change: int
    created: int
    changed: int
    added_addresses: int
    rows_per_second: int
    seconds_left: int | None
    error: str | None
    created_at: datetime
    checked_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class ImportPage(Answer):
    data: list[ImportAnswer]
    has_more: bool
    next_cursor: str | None


class Fault(Answer):
    """`column`: its header, empty for the row as a whole. `detail` may quote the file."""

    line: int
    column: str
    code: str
    detail: str


def answer(tenant_id: UUID, import_id: UUID) -> ImportAnswer | None:
    row = models.Import.objects.of(tenant_id).select_related("list_segment").filter(id=import_id).first()
    return None if row is None else _answer(row)


def page(tenant_id: UUID, request: PageRequest) -> ImportPage:
    """Newest first."""
    rows = models.Import.objects.of(tenant_id).select_related("list_segment")
    if request.before is not None:
        rows = rows.filter(id__lt=request.before)
    found = list(rows.order_by("-id")[: request.limit + 1])
    has_more, found = len(found) > request.limit, found[: request.limit]
    return ImportPage(
        data=[_answer(row) for row in found],
        has_more=has_more,
        next_cursor=next_cursor(found[-1].id) if has_more else None,
    )


def _answer(row: models.Import) -> ImportAnswer:
    done = row.checked if row.state == "checking" else row.written
    is_busy = row.state in ("checking", "running") and row.rate > 0
    return ImportAnswer(
        id=ids.show(ids.IMPORT, row.id), state=row.state, file_name=row.file_name, by=row.by, encoding=row.encoding,
        delimiter=row.delimiter, size=row.size, columns=row.columns, mapping=row.mapping,
        list=row.list_segment.key if row.list_segment else None, lines=row.lines, checked=row.checked, written=row.written,
        rows=row.rows, refused=row.refused, doubled=row.doubled, addresses=row.addresses, to_create=row.to_create,
        to_change=row.to_change, created=row.created, changed=row.changed, added_addresses=row.added,
        rows_per_second=round(row.rate), seconds_left=round((row.lines - done) / row.rate) if is_busy else None,
        error=row.error or None, created_at=row.created_at, checked_at=row.checked_at, started_at=row.started_at,
        finished_at=row.finished_at,
    )  # fmt: skip


def first_faults(tenant_id: UUID, import_id: UUID, count: int) -> list[Fault]:
    """Of the first `count` lines that were refused."""
    return [
        Fault(line=line, column=column, code=code, detail=detail)
        for line, _, wrong in _refused(tenant_id, import_id, 0, count)
        for column, code, detail in wrong
    ]


def faults_by_code(tenant_id: UUID, import_id: UUID) -> dict[tuple[str, str], int]:
    """How many lines by (code, column) of the first fault of each; the most frequent first."""
    from django.db.models import Count

    rows = models.ImportFault.objects.of(tenant_id).filter(import_id=import_id)
    counted = rows.values_list("code", "column").annotate(lines=Count("line")).order_by("-lines", "code", "column")
    return {(code, column): lines for code, column, lines in counted}


def faults_csv(tenant_id: UUID, import_id: UUID, columns: Sequence[str]) -> Iterator[bytes]:
    """The refused rows as they were read, then `line`, `column`, `code`, `detail`; nothing in it is a formula to a spreadsheet."""
    yield b"\xef\xbb\xbf" + _line([*columns, "line", "column", "code", "detail"])
    last = 0
    while rows := list(_refused(tenant_id, import_id, last, _SIZE)):
        last = rows[-1][0]
        for line, values, wrong in rows:
            cells = [*values[: len(columns)], *[""] * (len(columns) - len(values))]
            yield _line([*cells, str(line), *("; ".join(part) for part in zip(*wrong, strict=True))])


def _refused(tenant_id: UUID, import_id: UUID, after: int, count: int) -> Iterator[tuple[int, list[str], list[Any]]]:
    rows = models.ImportFault.objects.of(tenant_id).filter(import_id=import_id, line__gt=after).order_by("line")
    for id_, line, column, code, sealed in rows.values_list("id", "line", "column", "code", "sealed")[:count]:
        if len(sealed):
            said = msgspec.json.decode(crypto.decrypt(sealed, bound_to=id_.bytes))
            yield line, said["values"], said["wrong"]
        else:
            detail = "With what is stored already the attributes would be longer than 16 KiB."
            yield line, [], [[column, code, detail]]


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return text.getvalue().encode()
