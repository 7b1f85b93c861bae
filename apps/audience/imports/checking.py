"""The check of a whole file: every row read, judged and staged, and what writing them would do. Nobody is changed.

It begins anew after a death: a check is no longer than it takes to read the file.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from time import monotonic

from django.db import connections, transaction
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
    to_change = %(to_change)s, lease_until = CASE WHEN may_run THEN lease_until END, deaths = 0, rate = 0, updated_at = %(now)s
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'checking'
"""
_FAIL = """
UPDATE audience_import SET state = 'failed', error = %(error)s, finished_at = %(now)s, lease_until = NULL, updated_at = %(now)s
WHERE id = %(id)s AND lease_token = %(token)s AND state = 'checking'
"""


Batch = tuple[Checked, int]
"""With its last line."""


class LeaseLost(Exception):
    """Somebody else has it, or it was cancelled."""


def check(mine: Claim, *, threads: bool = True) -> None:
    """`threads`: rows are read and judged in a thread of its own while those before them are stored. Raises LeaseLost."""
    row = models.Import.objects.of(mine.tenant_id).get(id=mine.import_id)
    keys = keys_at_hand()
    _begin(mine)
    total, refused, addresses = 0, 0, 0
    try:
        judged = _judged(mine, row)
        with closing(_ahead(judged) if threads else judged) as batches:
            for checked in _staged(mine, batches):
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


def _judged(mine: Claim, row: models.Import) -> Generator[Batch, None, None]:
    checker = Checker(mine.tenant_id, plan_of(row.columns, row.mapping))
    for rows in rows_of(mine.import_id, row.delimiter, skipped=row.skipped):
        yield checker.check(rows), rows.last


def _ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Each is made while the one before it is used, one at a time: no more than two are in memory."""
    with ThreadPoolExecutor(1, thread_name_prefix="import-check") as thread:
        try:
            following = thread.submit(list, islice(batches, 1))
            while found := following.result():
                following = thread.submit(list, islice(batches, 1))
                yield found[0]
        finally:
            thread.submit(connections.close_all)


def _staged(mine: Claim, batches: Iterator[Batch]) -> Iterator[Checked]:
    began, before = monotonic(), 0
    for checked, last in batches:
        with transaction.atomic():
            # a check that is lost begins anew
            fetch("SET LOCAL synchronous_commit = off", {})
            now = monotonic()
            if not claiming.renew(mine, rate=(last - before) / max(now - began, 1e-6), checked=last):
                raise LeaseLost
            began, before = now, last
            if checked.staged:
                staging.copy_rows(mine.import_id, checked.staged)
            if checked.refused:
                staging.copy_faults(mine.tenant_id, mine.import_id, checked.refused)
        yield checked
