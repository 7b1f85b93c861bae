"""Numbers and times as the recipient writes them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.core import clock
from apps.templates.engine import parse, run
from apps.templates.faults import Fault, RenderError

AT = "2026-03-29T00:59:30Z"


def said(source: str, locale: str = "de-CH", timezone: str = "Europe/Zurich", **data: Any) -> str:
    return run(parse(source), {"recipient": {"locale": locale, "timezone": timezone}, "data": {"at": AT, **data}})


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "€1,234.50"),
        ("de", "1.234,50\xa0€"),
        ("de-CH", "EUR\xa01\u2019234.50"),
        ("ja", "€1,234.50"),
        ("de-XX", "1.234,50\xa0€"),
        ("nonsense", "€1,234.50"),
        ("", "€1,234.50"),
    ],
)
def test_it_formats_money(locale: str, expected: str) -> None:
    assert said("{{ data.total | currency: 'EUR' }}", locale, total="1234.50") == expected


def test_it_keeps_money_exact() -> None:
    assert (
        said("{{ data.total | currency: 'USD' }}", "en", total="12345678901234567.89") == "$12,345,678,901,234,567.89"
    )
    assert said("{{ data.total | currency: data.code }}", "en", total=0.1, code="JPY") == "¥0"


def test_it_formats_numbers() -> None:
    assert said("{{ data.n | decimal }}", n=1234567.8915) == "1\u2019234\u2019567.892"
    assert said("{{ data.n | decimal: 2 }}", "de", n=3) == "3,00"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ data.at | datetime: 'short' }}", "29.03.26, 01:59"),
        ("{{ data.at | datetime }}", "29.03.2026, 01:59:30"),
        ("{{ data.at | date: 'full' }}", "Sonntag, 29. März 2026"),
        ("{{ data.at | date: '%d.%m.%Y %H:%M' }}", "29.03.2026 01:59"),
        ("{{ data.at | date: 'EEEE' }}", "Sonntag"),
        ("{{ data.at | date: '%A, %-d. %B %Y' }}", "Sonntag, 29. März 2026"),
        ("{{ data.at | date: '%d/%m/%y, %I:%M %p 100%%' }}", "29/03/26, 01:59 AM 100%"),
        ('{{ data.at | date: "%H o\'clock" }}', "01 o'clock"),
        ("{{ data.at | time: 'full' }}", "01:59:30 Mitteleuropäische Normalzeit"),
        ("{{ data.at | time }}", "01:59"),
        ("{{ '2026-03-29T01:00:00Z' | time }}", "03:00"),
        ("{{ '2026-03-29T01:00:00' | time }}", "03:00"),
        ("{{ '2026-03-28T18:00:00-07:00' | time }}", "03:00"),
        ("{{ 1774746000 | time }}", "03:00"),
    ],
)
def test_it_shows_times_in_the_recipients_zone(source: str, expected: str) -> None:
    assert said(source) == expected


def test_a_day_stays_that_day_everywhere() -> None:
    for zone in ("Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago"):
        assert said("{{ '2026-03-29' | date: 'long' }}", "en", zone) == "March 29, 2026"


def test_it_knows_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    assert said("{{ 'now' | date: '%Y' }}") == "2027"


def test_an_unknown_zone_is_utc() -> None:
    assert said("{{ data.at | time }}", "de", "Mars/Olympus") == "00:59"


def test_a_variable_called_recipient_changes_nothing() -> None:
    assert said("{% assign recipient = 'x' %}{{ data.at | time }}") == "01:59"


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{{ data.x | currency: 'EUR' }}", {"x": "1,50"}),
        ("{{ data.x | currency: 'EUR' }}", {"x": True}),
        ("{{ data.x | currency: 'EUR' }}", {"x": "1e9"}),
        ("{{ data.x | currency }}", {"x": 98765}),
        ("{{ data.x | currency: 'XYZ' }}", {"x": 98765}),
        ("{{ data.x | decimal: 99 }}", {"x": 98765}),
        ("{{ data.x | datetime }}", {"x": "tomorrow"}),
        ("{{ data.x | datetime }}", {"x": "2026-02-30"}),
        ("{{ data.x | datetime }}", {"x": 1e300}),
        ("{{ data.at | date: data.x }}", {"x": "d" * 61}),
        ("{{ data.at | date: '%Q' }}", {"x": "unused"}),
        ("{{ data.at | date: '%10d' }}", {"x": "unused"}),
    ],
)
def test_it_refuses_what_it_cannot_read(source: str, data: dict[str, Any]) -> None:
    with pytest.raises(RenderError) as caught:
        said(source, **data)
    assert caught.value.code is Fault.WRONG_VALUE
    assert str(data["x"]) not in caught.value.detail
