"""Segments, against the boundaries of 3GPP TS 23.038 and 23.040."""

import pytest

from apps.templates.sms import Count, count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Count("gsm7", 0, 0)),
        ("a" * 160, Count("gsm7", 160, 1)),
        ("a" * 161, Count("gsm7", 161, 2)),
        ("a" * 306, Count("gsm7", 306, 2)),
        ("a" * 307, Count("gsm7", 307, 3)),
        ("äöüÄÖÜßàéèùìòÇØøÅåÆæÉ@£$¥ΔΦ\n", Count("gsm7", 28, 1)),
        ("€" * 80, Count("gsm7", 160, 1)),
        ("€" * 81, Count("gsm7", 162, 2)),
        ("a" * 152 + "€" + "a" * 152, Count("gsm7", 306, 3)),
        ("\u2019", Count("ucs2", 1, 1, "\u2019")),
        ("ç" + "a" * 69, Count("ucs2", 70, 1, "ç")),
        ("ç" + "a" * 70, Count("ucs2", 71, 2, "ç")),
        ("ç" + "a" * 133, Count("ucs2", 134, 2, "ç")),
        ("ç" + "a" * 134, Count("ucs2", 135, 3, "ç")),
        ("😀" * 35, Count("ucs2", 70, 1, "😀")),
        ("😀" * 36, Count("ucs2", 72, 2, "😀")),
        ("a" * 66 + "😀" * 2 + "a" * 64, Count("ucs2", 134, 3, "😀")),
        ("“Hi” … “you”", Count("ucs2", 12, 1, "“”…")),
    ],
)
def test_it_counts(text: str, expected: Count) -> None:
    assert count(text) == expected
