"""Statuses, faults and Retry-After."""

from datetime import UTC, datetime

import pytest

from apps.channels.answers import FAULT_KINDS, kind_of_status, retry_after
from apps.core.enums import OutcomeKind

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (101, OutcomeKind.AMBIGUOUS),
        (301, OutcomeKind.MISCONFIGURED),
        (400, OutcomeKind.REJECTED),
        (401, OutcomeKind.MISCONFIGURED),
        (403, OutcomeKind.MISCONFIGURED),
        (404, OutcomeKind.REJECTED),
        (408, OutcomeKind.TRANSIENT),
        (413, OutcomeKind.REJECTED),
        (418, OutcomeKind.REJECTED),
        (429, OutcomeKind.THROTTLED),
        (500, OutcomeKind.TRANSIENT),
        (502, OutcomeKind.PROVIDER_DOWN),
        (503, OutcomeKind.PROVIDER_DOWN),
        (504, OutcomeKind.PROVIDER_DOWN),
        (599, OutcomeKind.TRANSIENT),
        (999, OutcomeKind.AMBIGUOUS),
    ],
)
def test_every_status_has_a_kind(status: int, kind: OutcomeKind) -> None:
    assert kind_of_status(status) == kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("0", 1.0),
        ("99999", 3600.0),
        ("9" * 400, 3600.0),
        ("Mon, 01 Mar 2027 12:01:00 GMT", 60.0),
        ("Mon, 01 Mar 2027 11:59:00 GMT", 1.0),
        ("Tue, 02 Mar 2027 12:00:00 GMT", 3600.0),
        ("Mon, 01 Mar 2027 14:01:00 +0200", 60.0),
        ("", None),
        (None, None),
        ("-5", None),
        ("soon", None),
        ("²", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
    ],
)
def test_it_reads_retry_after_and_keeps_it_between_a_second_and_an_hour(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, NOW) == seconds


def test_nothing_that_was_written_is_called_unsent() -> None:
    ambiguous = {code for code, kind in FAULT_KINDS.items() if kind == OutcomeKind.AMBIGUOUS}
    assert ambiguous == {"read_timeout", "deadline", "connection_dropped", "answer_too_large", "answer_unreadable"}
