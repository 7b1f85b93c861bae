"""Which delimiter a CSV has, and what stands in its header."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem

DELIMITERS = (",", ";", "\t", "|")
MOST_COLUMNS = 200
MOST_NAME = 100
SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Head:
    """`skipped`: lines before the header (`sep=;`, as Excel writes it). `samples`: the first rows."""

    delimiter: str
    skipped: int
    columns: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]


def head_of(text: str) -> Head:
    """`text`: the beginning of the file. Raises Problem: invalid_csv with line and column."""
    first, _, rest = text.partition("\n")
    said = first.strip("\r").lower()
    if len(said) == 5 and said.startswith("sep=") and said[4] in DELIMITERS:
        return _head(rest, said[4], 1)
    return _head(text, max(DELIMITERS, key=lambda one: _fit(text, one)), 0)


def _fit(text: str, delimiter: str) -> tuple[int, int]:
    """How many of the first rows have as many cells as the header, if it has several; and how many cells."""
    try:
        rows = [row for row in _rows(text, delimiter) if row]
    except csv.Error:
        return 0, 0
    width = len(rows[0]) if rows else 0
    return (sum(len(row) == width for row in rows), width) if width > 1 else (0, 0)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline="")
    return islice(csv.reader(lines, delimiter=delimiter, strict=True), SAMPLES + 1)


def _head(text: str, delimiter: str, skipped: int) -> Head:
    rows: list[list[str]] = []
    try:
        rows.extend(_rows(text, delimiter))
    except csv.Error as error:
        raise broken(error, rows, skipped) from None
    line = skipped + next((at for at, row in enumerate(rows, 1) if row), 1)
    rows = [row for row in rows if row]
    columns = tuple(name.strip() for name in rows[0]) if rows else ()
    _check(columns, line)
    return Head(delimiter, skipped, columns, tuple(tuple(row) for row in rows[1:]))


def _check(columns: tuple[str, ...], line: int) -> None:
    if not columns:
        _refuse("The file has no header row.", line, 1)
    if len(columns) > MOST_COLUMNS:
        _refuse(f"There are {len(columns)} columns; {MOST_COLUMNS} are allowed.", line, MOST_COLUMNS + 1)
    for number, name in enumerate(columns, 1):
        if not name:
            _refuse(f"Column {number} of the header has no name.", line, number)
        if len(name) > MOST_NAME or not name.isprintable():
            _refuse(
                f"The name of column {number} has more than {MOST_NAME} characters, or unprintable ones.", line, number
            )
        if name in columns[: number - 1]:
            _refuse(f"Two columns are called `{name}`.", line, number)


def _refuse(detail: str, line: int, column: int) -> None:
    raise unreadable(detail, line, column)


def unreadable(detail: str, line: int, column: int = 1) -> Problem:
    fault = FieldError("", Code.INVALID_CSV, detail, line=line, column=column)
    return Problem(Code.INVALID_CSV, f"Line {line}, column {column}: {detail}"[:300], errors=[fault])


def broken(error: csv.Error, rows: Sequence[Sequence[str]], before: int) -> Problem:
    """`rows`: those that were read before it; `before`: the lines before them."""
    line = before + sum(1 + breaks(row) for row in rows) + 1
    said = str(error)
    if "unexpected end" in said:
        detail = "A quote is opened here and never closed."
    elif "field larger" in said:
        detail = (
            f"A cell has more than {csv.field_size_limit():,} characters; perhaps a quote is opened and never closed."
        )
    else:
        detail = f"{said.capitalize()}."
    return unreadable(detail, line)


def breaks(row: Sequence[str]) -> int:
    """Line ends within its cells."""
    return sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row)
