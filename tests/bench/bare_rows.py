"""The rows of a campaign once more, with nothing decided: what PostgreSQL alone takes for them."""

import time

from django.db import connection

from apps.campaigns.models import Run
from apps.ledger import broadcasts


class BareRows:
    """Of one kind: copied in the order in which they were written, into a table like the partition that took them, indexes and all. The
    partition held nothing before the run."""

    def __init__(self, run: Run, kind: str) -> None:
        self.into, self.last, self.rows = f"bare_{kind}", "(0,0)", 0
        bounds = [broadcasts.begin_of(run.stamp), broadcasts.end_of(run.stamp)]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT tableoid::regclass::text FROM {kind} WHERE id BETWEEN %s AND %s", bounds)
            ((self.part,),) = cursor.fetchall()
            cursor.execute(f"CREATE TABLE {self.into} (LIKE {self.part} INCLUDING ALL)")
            cursor.execute("SELECT unnest(reloptions) FROM pg_class WHERE oid = %s::regclass", [self.part])
            for (option,) in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {self.into} SET ({option})")

    def follow(self) -> float:
        """Seconds of the INSERT..SELECT of all rows that have come since. They are read once before, and its commit does not wait for the
        disk either: nothing is in its way."""
        found = f"FROM {self.part} WHERE ctid > %s::tid"
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET synchronous_commit = off")
            cursor.execute(f"SELECT max(ctid)::text {found}", [self.last])
            ((last,),) = cursor.fetchall()
            began = time.monotonic()
            cursor.execute(f"INSERT INTO {self.into} SELECT * {found} AND ctid <= %s::tid", [self.last, last])
            seconds = time.monotonic() - began
            self.last, self.rows = last, self.rows + cursor.rowcount
            cursor.execute("RESET statement_timeout; RESET synchronous_commit")
        return seconds

    def drop(self) -> int:
        """How many it took."""
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {self.into}")
        return self.rows
