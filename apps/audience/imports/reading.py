"""The rows of a stored file, a batch at a time, with the lines on which they stand."""

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from apps.audience import models
from apps.audience.imports.dialect import breaks, broken
from apps.core import crypto

BATCH = 10_000
SLICE = 100
CHUNKS = 4


class Rows(NamedTuple):
    """`lines`: where each row begins; the header is line 1. `last`: the last line that was read."""

    lines: Sequence[int]
    values: list[list[str]]
    last: int


def rows_of(import_id: UUID, delimiter: str, *, skipped: int, size: int = BATCH) -> Iterator[Rows]:
    """Without the header and without blank lines. Raises Problem: invalid_csv. Raises UndecipherableError when a key is gone."""
    lines_of = Lines(import_id)
    reader = csv.reader(lines_of, delimiter=delimiter, strict=True)
    is_head = True
    while True:
        before = reader.line_num
        values: list[list[str]] = []
        try:
            _fill(values, reader, lines_of, size)
        except csv.Error as error:
            raise broken(error, values, before) from None
        if not values:
            return
        lines = _numbers(values, before, reader.line_num)
        if is_head:
            lines, values = _without_head(lines, values, skipped)
            is_head = False
        if [] in values:
            kept = [(line, row) for line, row in zip(lines, values, strict=True) if row]
            lines, values = [line for line, _ in kept], [row for _, row in kept]
        yield Rows(lines, values, reader.line_num)


def _fill(values: list[list[str]], reader: Iterator[list[str]], lines: "Lines", size: int) -> None:
    """Fewer than `size` where lines are long: no more than some chunks of them are in memory."""
    until = lines.chunks + CHUNKS
    while len(values) < size and lines.chunks < until:
        count = len(values)
        values.extend(islice(reader, SLICE))
        if len(values) == count:
            return


def _without_head(lines: Sequence[int], values: list[list[str]], skipped: int) -> tuple[Sequence[int], list[list[str]]]:
    """The header is the first row that is not blank, after what stands before it."""
    at = next((index for index, row in enumerate(values) if row and index >= skipped), len(values) - 1)
    return lines[at + 1 :], values[at + 1 :]


def _numbers(values: list[list[str]], before: int, after: int) -> Sequence[int]:
    if after - before == len(values):
        return range(before + 1, after + 1)
    lines, line = [], before + 1
    for row in values:
        lines.append(line)
        line += 1 + breaks(row)
    return lines


class Lines:
    """Of a stored file, with their ends. `chunks`: how many were opened; one is in memory at a time."""

    def __init__(self, import_id: UUID) -> None:
        self.chunks = 0
        self._import_id = import_id

    def __iter__(self) -> Iterator[str]:
        while (row := _chunk(self._import_id, self.chunks)) is not None:
            self.chunks += 1
            chunk_id, sealed = row
            text = zlib.decompress(crypto.decrypt(sealed, bound_to=chunk_id.bytes)).decode()
            yield from io.StringIO(text, newline="")


def _chunk(import_id: UUID, number: int) -> tuple[UUID, bytes] | None:
    chunks = models.ImportChunk.objects.all_tenants().filter(import_id=import_id, number=number)
    row: tuple[UUID, bytes] | None = chunks.values_list("id", "sealed").first()
    return row
