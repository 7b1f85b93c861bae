"""What came of a run: people first, each counted once, so that the numbers add up to the audience; from what was counted last."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Sum

from apps.campaigns import progress
from apps.campaigns.choosing_winner import Metric, Seen, Verdict, judge
from apps.campaigns.intervals import Interval, wilson
from apps.campaigns.models import Dimension, Slice
from apps.campaigns.progress import Progress
from apps.core.enums import DeliveryStatus as D
from apps.ledger.lifecycle import OPEN
from apps.ledger.run_results import DELAYS

_COUNTS = ("count", "sent", "delivered", "opened", "clicked", "unsubscribed", "complained")


@dataclass(frozen=True, slots=True)
class Totals:
    """People. `opened`: estimated: what mail programs fetch by themselves is left out as far as it can be told."""

    count: int = 0
    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0

    @property
    def opt_outs_per_thousand(self) -> float | None:
        """None: nothing was sent."""
        return self.unsubscribed * 1000 / self.sent if self.sent else None

    def share(self, name: str) -> float | None:
        """Of the sent ones."""
        value: int = getattr(self, name)
        return value / self.sent if self.sent else None

    def interval(self, name: str) -> Interval | None:
        return wilson(min(self.sent, getattr(self, name)), self.sent) if self.sent else None


@dataclass(frozen=True, slots=True)
class Fate:
    """People whose message ended, or stands, so. `sentence`: why."""

    status: D
    reason: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class VariantResult:
    """`is_winner`: it was chosen for the rest."""

    position: int
    name: str
    totals: Totals
    is_winner: bool


@dataclass(frozen=True, slots=True)
class Part:
    """People of one language, clock or hour. `label`: its name; `bar`: of 100, beside the largest of its kind."""

    value: str
    label: str
    totals: Totals
    bar: float


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    count: int
    bar: float


@dataclass(frozen=True, slots=True)
class Results:
    """`not_reached`: of the audience, whom no page came to: they left it meanwhile, or the run was cancelled before. `undecided`: read,
    and nothing decided yet. Those, `held_out`, `repeated`, `left_out` and the fates add up to the audience. `machine`: (opens, clicks)."""

    progress: Progress
    totals: Totals
    not_reached: int
    undecided: int
    under_way: tuple[Fate, ...]
    arrived: tuple[Fate, ...]
    failed: tuple[Fate, ...]
    skipped: tuple[Fate, ...]
    variants: tuple[VariantResult, ...]
    verdict: Verdict | None
    locales: tuple[Part, ...]
    zones: tuple[Part, ...]
    hours: tuple[Part, ...]
    links: tuple[Bar, ...]
    delays: tuple[Bar, ...]
    machine: tuple[int, int]


_ARRIVED = frozenset({D.DELIVERED, D.SENT, D.UNKNOWN})
_SKIPPED = frozenset({D.SKIPPED, D.CANCELLED, D.MERGED})


def results_of(run: Any, now: Any) -> Results:
    """Five queries, six while it is paused; the ledger is not asked."""
    shown = progress.progress_of(run, now)
    slices: dict[str, list[Any]] = {}
    for row in Slice.objects.of(run.tenant_id).filter(run_id=run.id).order_by("value"):
        slices.setdefault(row.dimension, []).append(row)
    outcomes = slices.get(Dimension.OUTCOME, [])
    fates = _fates(outcomes)
    totals = _sum(outcomes)
    machine = next(iter(slices.get(Dimension.MACHINE, [])), None)
    variants = _variants(run, outcomes)
    return Results(
        progress=shown,
        totals=totals,
        not_reached=shown.audience - shown.seen - shown.left_out,
        undecided=max(0, shown.made - totals.count),
        under_way=tuple(fate for fate in fates if fate.status in OPEN),
        arrived=tuple(fate for fate in fates if fate.status in _ARRIVED),
        failed=tuple(fate for fate in fates if fate.status not in OPEN | _ARRIVED | _SKIPPED),
        skipped=tuple(fate for fate in fates if fate.status in _SKIPPED),
        variants=variants,
        verdict=_verdict(run, variants),
        locales=_parts(slices.get(Dimension.LOCALE, []), lambda value: value or "none chosen"),
        zones=_parts(slices.get(Dimension.ZONE, []), str),
        hours=_parts(slices.get(Dimension.HOUR, []), lambda value: f"{value}:00", is_sorted=True),
        links=_bars((_link(row.value), row.count) for row in _by_count(slices.get(Dimension.LINK, []))),
        delays=_bars(_delays(slices.get(Dimension.DELAY, []))),
        machine=(machine.opened, machine.clicked) if machine else (0, 0),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a line."""

    audience: int
    totals: Totals
    failed: int
    skipped: int

    @property
    def sent(self) -> int:
        return self.totals.sent

    @property
    def delivered(self) -> int:
        return self.totals.delivered

    @property
    def opened(self) -> int:
        return self.totals.opened

    @property
    def clicked(self) -> int:
        return self.totals.clicked


def summary_of(run_ids: Collection[UUID]) -> dict[UUID, Summary]:
    """For lists. Three queries whatever the number."""
    sums: dict[UUID, Counter[str]] = {id_: Counter() for id_ in run_ids}
    rows = Slice.objects.all_tenants().filter(run_id__in=run_ids, dimension=Dimension.OUTCOME)
    names = {f"all_{name}": Sum(name) for name in _COUNTS}
    for row in rows.values("run_id", "value").annotate(**names):
        counts, status = sums[row["run_id"]], D(row["value"].split(":")[0])
        counts.update({name: row[f"all_{name}"] for name in _COUNTS})
        counts["failed"] += row["all_count"] if status not in OPEN | _ARRIVED | _SKIPPED else 0
        counts["skipped"] += row["all_count"] if status in _SKIPPED else 0
    whole = progress.shares(run_ids)
    return {
        id_: Summary(
            whole.get(id_, (0, 0))[1], Totals(*(counts[name] for name in _COUNTS)), counts["failed"], counts["skipped"]
        )
        for id_, counts in sums.items()
    }


def _sum(rows: Iterable[Any]) -> Totals:
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update({name: getattr(row, name) for name in _COUNTS})
    return Totals(*(sums[name] for name in _COUNTS))


def _fates(outcomes: Iterable[Any]) -> list[Fate]:
    """Over all variants, the most frequent first."""
    found: Counter[str] = Counter()
    for row in outcomes:
        found[row.value] += row.count
    fates = []
    for value, count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        status, _, reason = value.partition(":")
        fates.append(Fate(D(status), reason, progress.said(reason) or D(status).sentence, count))
    return fates


def _variants(run: Any, outcomes: Sequence[Any]) -> tuple[VariantResult, ...]:
    names = {one["position"]: one["name"] for one in run.definition.get("variants", [])}
    used = sorted({row.variant for row in outcomes} | set(names))
    return tuple(
        VariantResult(
            position,
            names.get(position, str(position)),
            _sum(row for row in outcomes if row.variant == position),
            run.winner == position,
        )
        for position in used
    )


def _verdict(run: Any, variants: Sequence[VariantResult]) -> Verdict | None:
    """What the numbers say by the campaign's own measure; None where there is nothing to compare."""
    if len(variants) < 2:
        return None
    seen = [
        Seen(v.position, v.totals.sent, v.totals.delivered, v.totals.opened, v.totals.clicked, v.totals.unsubscribed)
        for v in variants
    ]
    metric = Metric((run.definition.get("test") or {}).get("metric", Metric.CLICKED))
    return judge(seen, metric, [v.name for v in variants])


def _parts(rows: Sequence[Any], label: Any, *, is_sorted: bool = False) -> tuple[Part, ...]:
    most = max((row.count for row in rows), default=0) or 1
    shown = rows if is_sorted else _by_count(rows)
    return tuple(Part(row.value, label(row.value), _sum([row]), 100 * row.count / most) for row in shown)


def _by_count(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: (-row.count, row.value))


def _link(value: str) -> str:
    """`value`: number and place; empty where a provider noticed, which says neither."""
    if not value:
        return "Reported by the provider"
    number, _, target = value.partition(" ")
    return f"{number}. {target.partition('://')[2]}" if target else f"Link {number}"


def _delays(rows: Iterable[Any]) -> Iterable[tuple[str, int]]:
    found: Mapping[str, int] = {row.value: row.count for row in rows}
    if not found:
        return []
    names = [f"{delay:g}" for delay in DELAYS] + ["longer"]
    labels = ["1 s", "5 s", "15 s", "1 min", "5 min", "15 min", "1 h", "6 h", "1 day"]
    said = [f"within {label}" for label in labels] + ["longer"]
    return [(label, found.get(name, 0)) for name, label in zip(names, said, strict=True)]


def _bars(found: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    rows = list(found)
    most = max((count for _, count in rows), default=0) or 1
    return tuple(Bar(label, count, 100 * count / most) for label, count in rows)
