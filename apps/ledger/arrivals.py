"""How long receipts take, and which are missing: samples of the ledger, evenly over time, bounded whatever goes through it.

Only what a provider accepted in live or team mode. A receipt is what ended the delivery's being `sent`: proof of arrival or of
failure. Who reports that a mailbox refuses a message for now is not silent either. The delay is counted from the provider's
answer to the receipt's own time, never below 0.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from apps.core import ids
from apps.core.rows import fetch, recordset

# of each part of a slice of time the first MOST_READ attempts are looked at, so that a flood hides only what was sent in the same seconds;
# of each slice at most `most` of an account are taken
PARTS, MOST_READ = 20, 500
_SAMPLE = """
part AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(parts)s) AS p(slice integer, low uuid, high uuid)
), sample AS MATERIALIZED (
    SELECT d.account, d.place, a.ended_at AS sent_at,
        CASE WHEN d.status = 'sent' AND EXISTS (
            SELECT FROM ledger_delivery_event e WHERE e.notification_id = d.notification_id AND e.delivery_id = d.id
                AND e.kind IN ('deferred', 'soft_bounced')) THEN 'waits' ELSE d.status END AS status,
        greatest(extract(epoch FROM coalesce(d.delivered_at, d.ended_at) - a.ended_at), 0)::float AS delay
    FROM (
        SELECT delivery_id, account, ended_at, row_number() OVER (PARTITION BY p.slice, account) AS number
        FROM part p CROSS JOIN LATERAL (
            SELECT * FROM ledger_attempt WHERE id >= p.low AND id < p.high ORDER BY id LIMIT %(read)s) first
        WHERE account = ANY(%(accounts)s) AND kind = 'accepted') a
    JOIN ledger_delivery d ON d.id = a.delivery_id
    WHERE a.number <= %(most)s AND d.account = a.account AND d.mode <> 'test' AND d.status IN ('sent', 'delivered', 'bounced', 'failed')
)"""

_LEARN = f"""
WITH {_SAMPLE}, delays AS (
    SELECT account, CASE WHEN grouping(place) = 1 THEN '' ELSE place END AS place, count(*) AS sample,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY delay) FILTER (WHERE status NOT IN ('sent', 'waits')) AS delay
    FROM sample GROUP BY GROUPING SETS ((account), (account, place))
    HAVING count(*) >= %(least)s AND (grouping(place) = 1 OR place <> '')
), norms AS (
    SELECT account, place, sample, coalesce(delay, 0) AS delay,
        least(2 * coalesce(delay, 0) + %(grace)s, %(longest)s)::float AS patience FROM delays
)
SELECT n.*, avg((s.status = 'sent' OR s.delay > n.patience)::int)::float AS missing
FROM norms n JOIN sample s ON s.account = n.account AND s.place = n.place WHERE n.place <> ''
GROUP BY n.account, n.place, n.sample, n.delay, n.patience
UNION ALL
SELECT n.*, avg((s.status = 'sent' OR s.delay > n.patience)::int)::float
FROM norms n JOIN sample s ON s.account = n.account WHERE n.place = ''
GROUP BY n.account, n.place, n.sample, n.delay, n.patience
"""

_MISSING = f"""
WITH {_SAMPLE}, patience AS (
    SELECT * FROM json_to_recordset(%(patience)s) AS p(account text, place text, seconds float)
)
SELECT account, place, count(*), count(*) FILTER (WHERE status = 'sent') FROM (
    SELECT s.*, coalesce(p.seconds, w.seconds) * interval '1 second' AS patience
    FROM sample s JOIN patience w ON w.account = s.account AND w.place = ''
    LEFT JOIN patience p ON p.account = s.account AND p.place = s.place) timed
WHERE sent_at < %(now)s - patience AND sent_at >= %(now)s - patience - %(window)s
GROUP BY account, place ORDER BY account, place
"""


@dataclass(frozen=True, slots=True)
class Norm:
    """How receipts of an account come for a place ("" for all): as in insights' table."""

    account: str
    place: str
    sample: int
    delay: float
    patience: float
    missing: float


@dataclass(frozen=True, slots=True)
class Overdue:
    """Of `judged` messages that had `patience` to be reported, `missing` were not."""

    account: str
    place: str
    judged: int
    missing: int


def learnt_norms(
    *,
    accounts: Collection[str],
    start: datetime,
    end: datetime,
    least: int,
    grace: float,
    longest: float,
    slices: int = 96,
    most: int = 400,
) -> list[Norm]:
    """Of what was sent from `start` to `end`. Groups of fewer than `least` are left out. Takes at most slices x most attempts of
    an account."""
    parameters = {
        **_sample(accounts, start, end, slices, most),
        "least": least,
        "grace": grace,
        "longest": longest,
    }
    return [Norm(*row) for row in fetch(_LEARN, parameters)] if accounts else []


def overdue(
    *,
    patience: Mapping[tuple[str, str], float],
    now: datetime,
    window: timedelta,
    longest: timedelta,
    most: int = 400,
) -> list[Overdue]:
    """What had its `patience` (seconds to wait for a receipt, by account and place; the place "" stands for those not named), and was
    sent at most `window` earlier than that. `longest`: the longest patience. Takes at most `most` attempts a minute of
    an account."""
    if not patience:
        return []
    start = now - longest - window
    accounts = {account for account, _ in patience}
    parameters = {
        **_sample(accounts, start, now, round((window + longest).total_seconds() / 60), most),
        "patience": recordset(
            {"account": account, "place": place, "seconds": seconds} for (account, place), seconds in patience.items()
        ),
        "now": now,
        "window": window,
    }
    return [Overdue(*row) for row in fetch(_MISSING, parameters)]


def _sample(accounts: Collection[str], start: datetime, end: datetime, slices: int, most: int) -> dict[str, Any]:
    count = slices * PARTS
    step = (end - start) / count
    bounds = [ids.bound(start + step * number) for number in range(count + 1)]
    parts = [
        {"slice": number // PARTS, "low": low, "high": high} for number, (low, high) in enumerate(pairwise(bounds))
    ]
    return {"parts": recordset(parts), "accounts": sorted(accounts), "most": most, "read": MOST_READ}
