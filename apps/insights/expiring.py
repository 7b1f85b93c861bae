"""Credentials that end: announced in time. An account's setting `expires_on` (ISO 8601 date) says when."""

from collections.abc import Iterator
from datetime import date, datetime

from apps.channels import selectors as channels
from apps.channels.alerts import end_alert, raise_alert

DAYS_AHEAD = 14
KIND = "expires"


def expiries(now: datetime) -> Iterator[tuple[str, date | None]]:
    """(account key, last day) of the accounts that are on and name one; None for one that is no date."""
    for account, is_on in channels.every_account():
        if is_on and (said := account.settings.get("expires_on")):
            yield account.key, _date(said)


def announce(now: datetime) -> None:
    for key, last_day in expiries(now):
        if last_day is None:
            text = f"{key}: its setting expires_on is not a date like 2027-03-01."
            raise_alert(kind=KIND, subject=key, text=text)
        elif (left := (last_day - now.date()).days) <= DAYS_AHEAD:
            raise_alert(kind=KIND, subject=key, text=sentence(key, left))
        else:
            end_alert(kind=KIND, subject=key)


def sentence(key: str, days: int) -> str:
    if days < 0:
        return f"The credentials of {key} ended {-days} days ago. Give it new ones, and set expires_on anew."
    return f"The credentials of {key} end in {days} days. Give it new ones, and set expires_on anew."


def _date(said: object) -> date | None:
    try:
        return date.fromisoformat(str(said))
    except ValueError:
        return None
