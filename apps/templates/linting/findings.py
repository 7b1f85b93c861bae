"""A remark, and how much it matters."""

from dataclasses import dataclass
from enum import StrEnum

from apps.templates.faults import place_of


class Severity(StrEnum):
    """ERROR: it does not arrive or breaks a law. WARNING: some people get something worse, or it costs more. INFO: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` and `column` count from 1 in `field` as the author wrote it; None: it has no place. `found` may be replaced by
    `replacement` there; None: there is nothing to offer."""

    code: str
    severity: Severity
    text: str
    field: str = ""
    line: int | None = None
    column: int | None = None
    found: str = ""
    replacement: str | None = None


def placed(
    code: str,
    severity: Severity,
    text: str,
    *,
    field: str,
    source: str,
    index: int,
    found: str = "",
    replacement: str | None = None,
) -> Finding:
    line, column = place_of(source, index)
    return Finding(code, severity, text, field, line, column, found, replacement)


def weight(finding: Finding) -> tuple[int, int, int]:
    """The worst first, then in the order of the text."""
    return _ORDER.index(finding.severity), finding.line or 0, finding.column or 0
