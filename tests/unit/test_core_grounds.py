"""What a decision rests on, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.core.enums import Reason
from apps.core.grounds import rests_on, sentence

SINCE = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
UNTIL = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("grounds", "words"),
    [
        (
            {"topic": "category:marketing", "channel": "*", "source": "settings", "since": SINCE},
            "category:marketing on every channel, from the settings page, 3 November 2026",
        ),
        ({"topic": "*", "channel": "sms", "source": "api"}, "everything on SMS, set through the API"),
        (
            {"topic": "post.liked", "channel": "*", "source": "tenant", "locked": True, "reason": "Required by law."},
            "post.liked on every channel, locked, Required by law, the default",
        ),
        (
            {"suppression": "complaint", "since": SINCE, "source": "sandbox-email"},
            "its owner reported a message as unwanted, by sandbox-email, 3 November 2026",
        ),
        (
            {"quiet_hours": ["22:00-08:00"], "zone": "Europe/Zurich", "until": UNTIL},
            "22:00-08:00, until 08:00 Europe/Zurich, 22 November 2026",
        ),
        ({"cap": "Three a day", "limit": 3, "period": "day"}, "Three a day: 3 in a day"),
        ({"unverified": 1}, "1 waiting for verification"),
        ({"until": UNTIL.isoformat()}, "until 07:00 UTC, 22 November 2026"),
        ({"rule": "expired", "why": "expired", "at": SINCE}, ""),
    ],
)
def test_grounds_are_told_in_plain_words(grounds: dict[str, Any], words: str) -> None:
    assert rests_on(grounds) == words


def test_a_reason_is_followed_by_its_grounds() -> None:
    assert sentence({"cap": "A", "limit": 1, "period": "week"}, "frequency_cap") == (
        "The recipient has had as many messages as are allowed for now (A: 1 in a week)."
    )
    assert sentence({}, "duplicate") == Reason.DUPLICATE.sentence
    assert sentence({}, "") == ""
