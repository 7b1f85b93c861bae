"""Results into the ledger, with what follows from them for addresses and accounts, in one transaction.

What a provider said must not be lost because the database is away for a moment: it is tried again while this process lives.
"""

import logging
from collections.abc import Sequence
from time import monotonic, sleep
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from apps.channels import services as channels
from apps.core.rows import atomic
from apps.core.types import Account
from apps.dispatch import follow_ups
from apps.ledger.sending_results import Settlement, settle
from apps.routing.retrying import Step

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0


def record(results: Sequence[Settlement], steps: Sequence[tuple[UUID | None, Step]], account: Account) -> None:
    """`steps`: (endpoint id, step) per result, in order."""
    started, wait = monotonic(), 0.05
    while True:
        try:
            with atomic():
                mine = settle(results)
                follow_ups.apply(results, steps, account)
                follow_ups.follow(results, mine)
            break
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if monotonic() - started > PATIENCE_SECONDS:
                raise
            log.warning("result not recorded yet", extra={"count": len(results), "error": type(error).__name__})
            sleep(wait)
            wait = min(wait * 2, 2.0)
    if any(step.switches_account_off for _, step in steps):
        code = next((r.outcome.code for r in results if r.outcome and r.outcome.kind == "misconfigured"), "")
        channels.switch_off_misconfigured(account, code)
