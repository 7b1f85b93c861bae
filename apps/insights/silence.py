"""Providers that take messages, say yes, and then say nothing more: the silent ban.

`learn` notes how receipts of each account usually come, per place; `watch` compares what is missing now with that. An account
that is silent gets one alert and less traffic until its receipts return. Nothing is learnt from silence.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.channels import health, registry, reporting
from apps.channels import selectors as channels
from apps.channels.alerts import end_alert, raise_alert
from apps.insights.judging import LEAST_JUDGED, has_recovered, is_silent
from apps.insights.models import ReceiptNorm
from apps.ledger.arrivals import Norm, Overdue, learnt_norms, overdue
from apps.receipts.keeping import backlog

log = logging.getLogger(__name__)
HISTORY = timedelta(hours=24)
WINDOW = timedelta(minutes=10)
# with the 25 seconds between two looks: noticed within twice the usual delay and a minute
GRACE_SECONDS = 30.0
LONGEST = timedelta(minutes=10)
LEAST_LEARNT = 50
OUR_OWN_DELAY = 60.0
DISTRUST = timedelta(minutes=10)
KIND = "silent"
_LEARNT = ("sample", "delay", "patience", "missing", "learnt_at")


@dataclass(frozen=True, slots=True)
class Group:
    """What was judged of an account, for a place or ("") for all places. `expected`: the share that is usually missing."""

    account: str
    place: str
    judged: int
    missing: int
    expected: float


def learn(now: datetime, *, settled: timedelta = WINDOW + LONGEST) -> int:
    """Makes the norms anew from the ledger, but not those of accounts that are silent now. How many. What is younger than `settled`
    may still be reported, or be part of a silence that nobody has noticed yet."""
    silent = set(ReceiptNorm.objects.exclude(silent_since=None).values_list("account", flat=True))
    accounts = [key for key in _reporting_accounts() if key not in silent]
    norms = learnt_norms(
        accounts=accounts,
        start=now - HISTORY,
        end=now - settled,
        least=LEAST_LEARNT,
        grace=GRACE_SECONDS,
        longest=LONGEST.total_seconds(),
    )
    _store(norms, now)
    ReceiptNorm.objects.filter(learnt_at__lt=now - HISTORY, silent_since=None).delete()
    return len(norms)


def watch(now: datetime) -> None:
    """Judges every account that has a norm. Not while receipts wait to be applied: then the silence may be ours."""
    _, waits = backlog(now)
    if waits > OUR_OWN_DELAY:
        log.warning("silence not judged: receipts wait to be applied", extra={"seconds": round(waits)})
        return
    norms = {(norm.account, norm.place): norm for norm in ReceiptNorm.objects.all()}
    patience = {place: norm.patience for place, norm in norms.items() if (place[0], "") in norms}
    found = overdue(patience=patience, now=now, window=WINDOW, longest=LONGEST)
    for account in sorted({account for account, _ in patience}):
        _judge(account, _groups([one for one in found if one.account == account], norms), norms, now)


def norms() -> dict[str, reporting.Norm]:
    """What was learnt of each account, over all places."""
    rows = ReceiptNorm.objects.filter(place="").values_list("account", "patience", "missing")
    return {account: reporting.Norm(patience, missing) for account, patience, missing in rows}


def _judge(account: str, groups: Sequence[Group], norms: Mapping[tuple[str, str], ReceiptNorm], now: datetime) -> None:
    was_silent = {place for (key, place), norm in norms.items() if key == account and norm.silent_since is not None}
    silent = [group for group in groups if is_silent(group.judged, group.missing, group.expected)]
    recovered = {
        group.place
        for group in groups
        if group.place in was_silent and has_recovered(group.judged, group.missing, group.expected)
    }
    # nothing was sent there for so long that nobody can know
    long_ago = {place for place in was_silent if _is_stale(norms[account, place], now)}
    recovered |= long_ago - {group.place for group in groups if group.judged >= LEAST_JUDGED}
    began = {group.place for group in silent} - was_silent
    rows = ReceiptNorm.objects.filter(account=account)
    if began:
        rows.filter(place__in=began).update(silent_since=now)
    if recovered:
        rows.filter(place__in=recovered).update(silent_since=None)
    still = (was_silent | began) - recovered
    if silent:
        worst = max(silent, key=lambda group: group.missing)
        whole = groups[0]
        health.distrust(account, whole.missing / whole.judged, now + DISTRUST)
        raise_alert(kind=KIND, subject=account, text=_sentence(worst))
    elif was_silent and not still:
        health.trust(account)
        end_alert(kind=KIND, subject=account)


def _is_stale(norm: ReceiptNorm, now: datetime) -> bool:
    return norm.silent_since is not None and norm.silent_since < now - HISTORY


def _groups(found: Iterable[Overdue], norms: Mapping[tuple[str, str], ReceiptNorm]) -> list[Group]:
    """All places together first, then those that have a norm of their own."""
    places = list(found)
    if not places:
        return []
    account = places[0].account
    whole = norms[account, ""]
    usual = [norms.get((account, one.place), whole).missing for one in places]
    judged = sum(one.judged for one in places)
    together = Group(
        account,
        "",
        judged,
        sum(one.missing for one in places),
        sum(one.judged * share for one, share in zip(places, usual, strict=True)) / judged,
    )
    own = [
        Group(account, one.place, one.judged, one.missing, norms[account, one.place].missing)
        for one in places
        if one.place and (account, one.place) in norms
    ]
    return [together, *own]


def _sentence(group: Group) -> str:
    where = f" to {group.place}" if group.place else ""
    return (
        f"{group.account} took {group.judged} messages{where} and says nothing more of {group.missing / group.judged:.0%} of them;"
        f" {group.expected:.0%} is usual. Either it does not deliver, or its receipts do not reach us (manage.py doctor)."
    )


def _store(norms: Sequence[Norm], now: datetime) -> None:
    """One statement."""
    rows = [
        ReceiptNorm(
            account=norm.account,
            place=norm.place,
            sample=norm.sample,
            delay=norm.delay,
            patience=norm.patience,
            missing=norm.missing,
            learnt_at=now,
        )
        for norm in norms
    ]
    ReceiptNorm.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["account", "place"], update_fields=list(_LEARNT)
    )


def _reporting_accounts() -> list[str]:
    """Keys of the accounts, on or off, whose provider sends receipts."""
    return [account.key for account, _ in channels.every_account() if registry.provider(account.provider).has_receipts]
