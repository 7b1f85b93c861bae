"""The ledger's books, looked at by the clockwork: an alert for each rule that is broken."""

from datetime import datetime

from apps.channels.alerts import end_alert, raise_alert
from apps.ledger.balance import CODES, troubles

HOURS = 3.0
KIND = "ledger"


def check(now: datetime) -> None:
    found = {one.code: one for one in troubles(now=now, hours=HOURS)}
    for code in CODES:
        if code in found:
            text = f"{len(found[code].ids)} rows: {found[code].sentence} manage.py ledger_balance names them."
            raise_alert(kind=KIND, subject=code, text=text)
        else:
            end_alert(kind=KIND, subject=code)
