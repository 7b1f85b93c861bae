"""The check of a whole file: every row read, judged and staged, and what writing them would do. Nobody is changed.

It begins anew after a death: a check is no longer than it takes to read the file.
"""

from collections.abc import Iterator
from time import monotonic

from django.db import transaction
from django.db.utils import ProgrammingError

from apps.audience import models
from apps.audience.imports import claiming, staging
from apps.audience.imports.claiming import Claim
from apps.audience.imports.discarding import drop_contents
from apps.audience.imports.fields import plan_of
from apps.audience.imports.reading import rows_of
from apps.audience.imports.rows import Checked, Checker, keys_at_hand
from apps.core import clock
from apps.core.problems import Problem
from apps.core.rows import execute, fetch

_SETTLE = """
UPDATE audience_import SET state = CASE WHEN may_run THEN 'running' ELSE 'checked' END, checked = lines,
    checked_at = %(now)s, keys = %(keys)s,
    started_at = CASE WHEN may_run THEN coalesce(started_at, %(now)s) ELSE started_at END,
    rows = %(rows)s, refused = %(refused)s, doubled = %(doubled)s, addresses = %(addresses)s, to_create = %(to_create)s,
    to_change = %(to_change)s, lease_until = CASE WHEN may_run THEN lease_until END, rate = 0, updated_at = %(now)s
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'checking'
"""
_FAIL = """
UPDATE audience_import SET state = 'failed', error = %(error)s, finished_at = %(now)s, lease_until = NULL, updated_at = %(now)s
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'checking'
"""


class LeaseLost(Exception):
    """Somebody else has it, or it was cancelled."""


def check(mine: Claim) -> None:
    """Raises LeaseLost."""
    row = models.Import.objects.of(mine.tenant_id).get(id=mine.import_id)
    keys = keys_at_hand()
    _begin(mine)
    total, refused, addresses = 0, 0, 0
    try:
        for checked in _staged(mine, row):
            total += checked.count + len(checked.refused)
            refused += len(checked.refused)
            addresses += checked.addresses
    except Problem as problem:
        with transaction.atomic():
            given = {"id": mine.import_id, "token": mine.token, "error": problem.detail[:300], "now": clock.now()}
            if execute(_FAIL, given):
                drop_contents(mine.tenant_id, mine.import_id)
        return
    try:
        _settle(mine, keys, {"rows": total, "refused": refused, "addresses": addresses})
    except ProgrammingError:
        # whoever cancelled it has dropped the table
        if claiming.renew(mine, rate=0):
            raise
        raise LeaseLost from None


def _settle(mine: Claim, keys: str, counts: dict[str, int]) -> None:
    with transaction.atomic():
        fetch("SET LOCAL statement_timeout = 0", {})
        fetch("SET LOCAL work_mem = '64MB'", {})
        staging.finish(mine.import_id)
        counts["doubled"] = staging.fold(mine.import_id)
        counts["to_create"], counts["to_change"] = staging.expected(mine.tenant_id, mine.import_id)
        if not execute(_SETTLE, counts | {"id": mine.import_id, "token": mine.token, "keys": keys, "now": clock.now()}):
            raise LeaseLost


def _begin(mine: Claim) -> None:
    with transaction.atomic():
        if not claiming.renew(mine, rate=0, checked=0):
            raise LeaseLost
        models.ImportFault.objects.of(mine.tenant_id).filter(import_id=mine.import_id).delete()
        staging.create(mine.import_id)


def _staged(mine: Claim, row: models.Import) -> Iterator[Checked]:
    checker = Checker(mine.tenant_id, plan_of(row.columns, row.mapping))
    began, last = monotonic(), 0
    for rows in rows_of(mine.import_id, row.delimiter, skipped=row.skipped):
        checked = checker.check(rows)
        with transaction.atomic():
            # a check that is lost begins anew
            fetch("SET LOCAL synchronous_commit = off", {})
            now = monotonic()
            if not claiming.renew(mine, rate=(rows.last - last) / max(now - began, 1e-6), checked=rows.last):
                raise LeaseLost
            began, last = now, rows.last
            if checked.staged:
                staging.copy_rows(mine.import_id, checked.staged)
            if checked.refused:
                staging.copy_faults(mine.tenant_id, mine.import_id, checked.refused)
        yield checked
