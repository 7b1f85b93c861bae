"""How much is read to notice silence: no more than its bounds, and of each account."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.ledger import arrivals
from tests.integration.insights_cast import account, traffic

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
# days are alike, and partitions are there for this month
NOW = clock.now().replace(microsecond=0)


def test_what_is_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    key = account()
    traffic(key, NOW - timedelta(minutes=10), NOW, each=0.5, now=NOW)
    found = arrivals.learnt_norms(
        accounts=[key],
        start=NOW - timedelta(minutes=10),
        end=NOW,
        least=1,
        grace=0,
        longest=600,
        slices=5,
        most=7,
    )
    assert [norm.sample for norm in found] == [35, 35]
    few = arrivals.overdue(
        patience={(key, ""): 0.0}, now=NOW, window=timedelta(minutes=10), longest=timedelta(0), most=3
    )
    assert sum(one.judged for one in few) == 30
    monkeypatch.setattr(arrivals, "MOST_READ", 2)
    read = arrivals.overdue(patience={(key, ""): 0.0}, now=NOW, window=timedelta(minutes=10), longest=timedelta(0))
    assert sum(one.judged for one in read) == 10 * arrivals.PARTS * 2


def test_a_flood_does_not_hide_what_is_sent_beside_it() -> None:
    """By one account twelve thousand in nine seconds of a minute; by the other one a second, six of which come behind 500 others."""
    flood, key = account("acme-bulk"), account()
    minute = (NOW - 11 * MINUTE).replace(second=0)
    traffic(flood, minute, minute + timedelta(seconds=9), each=0.00075, now=NOW)
    traffic(key, minute, minute + MINUTE, each=1, now=NOW)
    found = arrivals.overdue(
        patience={(flood, ""): 0.0, (key, ""): 0.0}, now=minute + 11 * MINUTE, window=11 * MINUTE, longest=timedelta(0)
    )
    assert {one.account: one.judged for one in found} == {flood: 400, key: 54}
