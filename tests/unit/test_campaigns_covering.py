"""The one rule of approvals: needed at this size and cost, and is there one that covers it?"""

from typing import Any

import pytest

from apps.campaigns.covering import Lack, lack_of
from apps.campaigns.models import Approval, Policy
from apps.core.problem_codes import Code

EURO = 1_000_000
ABOVE_PEOPLE = "It is for 101 people; above 100 somebody else has to approve it."
ABOVE_COST = "It may cost 5.00 EUR; above 5.00 EUR somebody else has to approve it."
OTHER = "The campaign, or a version of its templates, is not the one that was approved."


def agreed(people: int = 1_000, euros: int = 100, digest: str = "d", decision: str = "approved") -> Approval:
    return Approval(people=people, cost_high=euros * EURO, digest=digest, decision=decision)


def needed(why: str) -> Lack:
    return Lack(Code.APPROVAL_NEEDED, why)


def void(why: str) -> Lack:
    return Lack(Code.APPROVAL_VOID, why)


@pytest.mark.parametrize(
    ("approval", "size", "lack"),
    [
        (None, {}, None),
        (None, {"people": 101}, needed(ABOVE_PEOPLE)),
        (None, {"cost_high": 5 * EURO + 1}, needed(ABOVE_COST)),
        (agreed(), {"people": 1_100}, None),
        (
            agreed(),
            {"people": 1_101},
            void("1,101 people are meant now; 1,000 were approved, and 10 % more are allowed."),
        ),
        (agreed(), {"cost_high": 110 * EURO}, None),
        (
            agreed(),
            {"cost_high": 111 * EURO},
            void("It may cost 111.00 EUR now; 100.00 EUR were approved, and 10 % more are allowed."),
        ),
        (agreed(digest="other"), {"people": 101}, void(OTHER)),
        (agreed(people=1, digest="other"), {}, None),
        (
            agreed(decision="broken"),
            {"people": 2_000},
            void("2,000 people are meant now; the glass was broken for 1,000, and 10 % more are allowed."),
        ),
    ],
    ids=[
        "up to the limits nobody has to agree",
        "above the people somebody has to",
        "above the cost, too",
        "it covers a little more",
        "not any more",
        "nor any cost",
        "not any cost",
        "nor something else",
        "where none is needed it does not matter",
        "the glass covers as much",
    ],
)
def test_it_goes_on_where_no_approval_is_needed_or_one_covers_it(
    approval: Approval | None, size: dict[str, Any], lack: Lack | None
) -> None:
    policy = Policy(approval_above_people=100, approval_above_micros=5 * EURO, growth_percent=10)
    assert lack_of(policy, approval, digest="d", **{"people": 100, "cost_high": 5 * EURO, **size}) == lack
