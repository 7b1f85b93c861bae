"""What can be wrong with a template, as values: at publish they become `errors` of a problem, at send a reason."""

from enum import StrEnum

from apps.core.enums import Reason


class Fault(StrEnum):
    """Each is a code of the API too (core/problem_codes.py says what to do about it)."""

    NO_TEMPLATE = "no_template"
    SYNTAX = "syntax_error"
    BRACES = "stray_braces"
    MISSING_DATA = "missing_data"
    WRONG_VALUE = "wrong_value"
    LIMIT = "limit_exceeded"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNSAFE_LINK = "unsafe_link"
    MARKUP = "invalid_markup"
    LAYOUT = "layout"


class RenderError(Exception):
    """Why something cannot be rendered. `line` and `column` count from 1, in what the author wrote; None where it has no place.
    `index`: from 0, in the text that was parsed.

    `detail` names variables and filters, never the values of data.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str = "",
        line: int | None = None,
        column: int | None = None,
        index: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.line = line
        self.column = column
        self.index = index

    @property
    def reason(self) -> Reason:
        """What the ledger records."""
        return Reason.NO_TEMPLATE if self.code == Fault.NO_TEMPLATE else Reason.TEMPLATE_ERROR

    def __str__(self) -> str:
        place = f" ({self.field or 'line'} {self.line}:{self.column})" if self.line else ""
        return f"{self.detail}{place}"


def place_of(source: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character."""
    return source.count("\n", 0, index) + 1, index - source.rfind("\n", 0, index)
