"""Whether things flow: receipts, due work, the ledger's books, silent providers, probes."""

from collections.abc import Iterator
from datetime import datetime

from apps.core.enums import Category
from apps.insights.checkups.findings import Finding, fail, ok, warn
from apps.insights.models import Probe, ReceiptNorm
from apps.ledger.admin.figures import lanes
from apps.ledger.balance import troubles
from apps.receipts.keeping import backlog, parked

SLOW_RECEIPTS, STUCK_RECEIPTS = 60.0, 600.0
# seconds that due work may wait
SLOW = {Category.CRITICAL: 10.0, Category.TRANSACTIONAL: 60.0, Category.SOCIAL: 600.0, Category.MARKETING: 3_600.0}
HOURS = 1.0


def receipts(now: datetime) -> Iterator[Finding]:
    count, waits = backlog(now)
    if waits >= STUCK_RECEIPTS:
        yield fail(
            "receipts", f"{count} calls wait, the oldest for {waits:.0f} s.", "Start a worker for the queue receipts."
        )
    elif waits >= SLOW_RECEIPTS:
        yield warn(
            "receipts", f"{count} calls wait, the oldest for {waits:.0f} s.", "Give the pool system more threads."
        )
    else:
        yield ok("receipts", "All that came is applied.")
    if aside := parked():
        fix = "Read their errors in the admin (Receipt calls), then replay them there or by manage.py replay_receipts."
        yield warn("parked receipts", f"{aside} calls are set aside.", fix)


def work(now: datetime) -> Iterator[Finding]:
    late = {
        lane.name: lane.waits for lane in lanes() if lane.waits is not None and lane.waits >= SLOW[Category(lane.name)]
    }
    for lane, waits in late.items():
        said = f"The oldest due work of {lane} waits for {waits:.0f} s."
        yield warn(f"lane {lane}", said, "See that its workers live, and give the pool more threads (NOTIFIER_POOLS).")
    if not late:
        yield ok("lanes", "No due work waits for long.")


def books(now: datetime) -> Iterator[Finding]:
    found = troubles(now=now, hours=HOURS)
    for one in found:
        fix = "manage.py ledger_balance names them; retry them in the admin, and tell the maintainers how it came."
        yield fail(f"ledger {one.code}", f"{len(one.ids)}: {one.sentence}", fix)
    if not found:
        yield ok("ledger", "The books of the last hour balance.")


def silence(now: datetime) -> Iterator[Finding]:
    silent = ReceiptNorm.objects.exclude(silent_since=None).order_by("account", "place")
    for norm in silent:
        where = f" to {norm.place}" if norm.place else ""
        said = (
            f"{norm.account} takes messages{where} and reports too few, since {norm.silent_since:%Y-%m-%d %H:%M} UTC."
        )
        yield fail("silence", said, "Ask the provider whether it blocks us; see that its webhook still leads here.")
    if not silent:
        yield ok("silence", "Receipts come as they usually do.")


def probes(now: datetime) -> Iterator[Finding]:
    for probe in Probe.objects.all_tenants().filter(is_on=True, has_arrived=False).order_by("id"):
        yield fail(f"probe {probe}", probe.said, "Follow its notification in the admin, then mend what it names.")
    well = Probe.objects.all_tenants().filter(is_on=True, has_arrived=True).count()
    if well:
        yield ok("probes", f"{well} arrived when last sent.")
