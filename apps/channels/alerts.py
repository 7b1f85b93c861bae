"""Alerts: a row and a line in the log when something begins that an operator must know of, one for each trouble.

However many processes notice it, and however often: while the row is open, the same kind and subject is not told again.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from apps.channels import health
from apps.channels.models import Alert
from apps.channels.selectors import every_account
from apps.core import clock, ids
from apps.core.rows import execute, fetch
from apps.core.types import Account

log = logging.getLogger(__name__)


class AlertKind(StrEnum):
    OFF = "account_off"
    BREAKER = "breaker_open"


_RAISE = """
INSERT INTO channels_alert (id, created_at, updated_at, tenant_id, kind, subject, text)
VALUES (%(id)s, %(now)s, %(now)s, %(tenant)s, %(kind)s, %(subject)s, %(text)s)
ON CONFLICT (kind, subject) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""


def raise_alert(*, kind: str, subject: str, text: str, tenant_id: UUID | None = None) -> bool:
    """Whether it is news. One statement. `tenant_id`: whose staff see it, beside those who see every tenant; None: nobody else."""
    moment = clock.now()
    parameters = {
        "id": ids.new(),
        "now": moment,
        "tenant": tenant_id,
        "kind": kind,
        "subject": subject,
        "text": text[:500],
    }
    is_news = bool(fetch(_RAISE, parameters))
    if is_news:
        log.warning("alert", extra={"kind": kind, "subject": subject, "said": text[:500]})
    return is_news


def end_alert(*, kind: str, subject: str) -> bool:
    """Whether there was one."""
    sql = "UPDATE channels_alert SET ended_at = %(now)s, updated_at = %(now)s WHERE kind = %(kind)s AND subject = %(subject)s"
    is_over = bool(execute(f"{sql} AND ended_at IS NULL", {"now": clock.now(), "kind": kind, "subject": subject}))
    if is_over:
        log.info("alert over", extra={"kind": kind, "subject": subject})
    return is_over


def note_change(account: Account, changed: str) -> None:
    """What health.note said of an account's breaker."""
    if changed == "opened":
        _tell(account)
    elif changed == "closed":
        end_alert(kind=AlertKind.BREAKER, subject=account.key)


def compare_with_health() -> None:
    """For whatever got lost between a breaker's move and its row: a process that died, a Redis that was emptied."""
    accounts = [account for account, _ in every_account()]
    told = set(_open_subjects(AlertKind.BREAKER))
    found = health.records([account.key for account in accounts])
    for account in accounts:
        record = found[account.key]
        if record.state and account.key not in told:
            _tell(account)
        if not record.state and account.key in told and record.since + QUIET_SECONDS < health.now():
            end_alert(kind=AlertKind.BREAKER, subject=account.key)


QUIET_SECONDS = 30.0


def _tell(account: Account) -> None:
    codes = sorted(health.record(account).codes.items(), key=lambda code: -code[1])[:3]
    said = ", ".join(f"{code} {count:.0f}x" for code, count in codes) or "slow answers"
    text = f"{account.key} ({account.provider}, {account.channel}) is in trouble and rests: {said}."
    raise_alert(kind=AlertKind.BREAKER, subject=account.key, text=text)


def _open_subjects(kind: str) -> Sequence[str]:
    rows = Alert.objects.all_tenants().filter(kind=kind, ended_at=None)
    return list(rows.values_list("subject", flat=True))
