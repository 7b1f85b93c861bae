"""How far a run is: from its waves and what was last counted; the ledger is not asked."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Sum

from apps.campaigns import pacing
from apps.campaigns.lifecycle import OPEN_RUNS, RunStatus, WaveKind
from apps.campaigns.models import Dimension, Meter, Run, Slice, Tally, Wave
from apps.campaigns.pacing import Left
from apps.campaigns.schedule_words import rest_words
from apps.core.enums import Category, Channel, Reason
from apps.core.enums import DeliveryStatus as D
from apps.ledger.broadcasts import Afoot, afoot
from apps.ledger.lifecycle import OPEN
from apps.schedules.timing import wall_of

TROUBLE = frozenset({D.FAILED, D.BOUNCED, D.EXPIRED, D.UNKNOWN})
FAILED = (D.BOUNCED, D.FAILED, D.EXPIRED)
"""Of people: in doubt is not among them."""
HANDED_OVER = frozenset({D.SENT, D.DELIVERED, D.BOUNCED})


@dataclass(frozen=True, slots=True)
class WaveBar:
    """All waves of one kind and moment. `zones`: their clocks. `when`: in words, where the moment is not known."""

    kind: WaveKind
    due_at: datetime | None
    zones: tuple[str, ...]
    size: int
    seen: int
    made: int
    held_out: int
    repeated: int
    state: str
    when: str = ""

    @property
    def percent(self) -> int:
        return min(100, 100 * self.seen // self.size) if self.size else 100 if self.state == "done" else 0


@dataclass(frozen=True, slots=True)
class ChannelBar:
    """Messages of a channel."""

    channel: Channel
    count: int
    ended: int
    sent: int
    delivered: int
    trouble: int
    withheld: int

    @property
    def percent(self) -> int:
        return 100 * self.ended // self.count if self.count else 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Messages that failed for one reason. `sentence`: why."""

    status: D
    reason: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class Progress:
    """People. `audience`: all it is for; `seen`: read; `made`: who got a message; `held_out`, `repeated`: who got none on purpose, or had
    one; `ended`: whose messages have ended, they included; `left_out`: on whose clock the time was over. `rate`: people a second; `ends_at`
    None: nobody knows. `bars`: top and height of each, in percent. `is_over`: nothing more will be sent. `afoot`: of a run that is paused,
    its messages under way."""

    audience: int
    seen: int
    made: int
    held_out: int
    repeated: int
    left_out: int
    ended: int
    rate: float
    ends_at: datetime | None
    bars: tuple[tuple[float, float], ...]
    waves: tuple[WaveBar, ...]
    channels: tuple[ChannelBar, ...]
    troubles: tuple[Trouble, ...]
    counted_at: datetime | None
    is_over: bool
    afoot: Afoot | None = None

    @property
    def done(self) -> int:
        return min(self.audience, self.ended + self.left_out)

    @property
    def percent(self) -> int:
        """Never 100 before it is."""
        if self.is_over:
            return 100 if not self.audience or self.done >= self.audience else 100 * self.done // self.audience
        return min(99, 100 * self.done // self.audience) if self.audience else 0

    @property
    def a_minute(self) -> int:
        return round(self.rate * 60)

    @property
    def read_percent(self) -> int:
        return min(100, 100 * (self.seen + self.left_out) // self.audience) if self.audience else 0


def progress_of(run: Any, now: datetime) -> Progress:
    """Four queries; one more, of the run's waiting work, while it is paused."""
    waves = list(Wave.objects.of(run.tenant_id).filter(run_id=run.id).order_by("position"))
    tallies = list(Tally.objects.of(run.tenant_id).filter(run_id=run.id))
    outcomes = Slice.objects.of(run.tenant_id).filter(run_id=run.id, dimension=Dimension.OUTCOME)
    meter = Meter.objects.of(run.tenant_id).filter(run_id=run.id).first()
    seen, made = sum(w.seen for w in waves), sum(w.made for w in waves)
    left_out = sum(w.size or 0 for w in waves if w.is_skipped)
    closed = sum(count for value, count in outcomes.values_list("value", "count") if D(value.split(":")[0]) not in OPEN)
    ended = min(seen, seen - made + closed)
    is_over = run.status not in OPEN_RUNS
    samples = meter.samples if meter else []
    speed = 0.0 if is_over or run.status == RunStatus.PAUSED else pacing.rate(samples, now)
    audience = max(_audience(run, waves), seen + left_out)
    return Progress(
        audience=audience if not is_over else max(seen + left_out, audience),
        seen=seen,
        made=made,
        held_out=sum(w.held_out for w in waves),
        repeated=sum(w.repeated for w in waves),
        left_out=left_out,
        ended=ended,
        rate=speed,
        ends_at=None if is_over or run.status == RunStatus.PAUSED else _ends_at(run, waves, seen - ended, speed, now),
        bars=tuple((100 - height, height) for height in pacing.sparkline(samples)),
        waves=tuple(_bars(run, waves, now)),
        channels=tuple(_channels(tallies)),
        troubles=tuple(_troubles(tallies)),
        counted_at=run.tallied_at,
        is_over=is_over,
        afoot=_afoot(run) if run.status == RunStatus.PAUSED else None,
    )


def messages_of(run: Any) -> int:
    """As they were counted last."""
    return int(Tally.objects.of(run.tenant_id).filter(run_id=run.id).aggregate(all=Sum("count"))["all"] or 0)


def shares(run_ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """By run: (people who were decided on, all it is for), for lists. Two queries."""
    rows = Wave.objects.all_tenants().filter(run_id__in=run_ids).values("run_id").annotate(all=Sum("seen"))
    seen = {row["run_id"]: row["all"] or 0 for row in rows}
    sizes = Run.objects.all_tenants().filter(id__in=run_ids).values_list("id", "audience_size")
    return {id_: (seen.get(id_, 0), max(size or 0, seen.get(id_, 0))) for id_, size in sizes}


def _audience(run: Any, waves: Sequence[Any]) -> int:
    return int(run.audience_size if run.audience_size is not None else sum(w.size or 0 for w in waves))


def _ends_at(run: Any, waves: Sequence[Any], waiting: int, speed: float, now: datetime) -> datetime | None:
    """A throttle says how fast it can go where nothing has been counted yet."""
    left = [Left(max(0, (w.size or 0) - w.seen), w.due_at) for w in waves if w.done_at is None and not w.is_skipped]
    return pacing.ends_at(left, waiting, speed or run.throttle / 60, now)


def _afoot(run: Any) -> Afoot:
    return afoot(stamp=run.stamp, lane=Category(run.definition["category"]), tenant_id=run.tenant_id)


def _bars(run: Any, waves: Iterable[Any], now: datetime) -> Iterable[WaveBar]:
    found: defaultdict[tuple[str, datetime | None, bool], list[Any]] = defaultdict(list)
    for wave in waves:
        found[wave.kind, wave.due_at, wave.is_skipped].append(wave)
    for (kind, due_at, is_skipped), group in found.items():
        yield WaveBar(
            kind=WaveKind(kind),
            due_at=due_at,
            zones=tuple(sorted({w.zone for w in group if w.zone})),
            size=sum(w.size or 0 for w in group),
            seen=sum(w.seen for w in group),
            made=sum(w.made for w in group),
            held_out=sum(w.held_out for w in group),
            repeated=sum(w.repeated for w in group),
            state="left out" if is_skipped else _state(group, due_at, now),
            when="" if due_at else _when(run, WaveKind(kind), group),
        )


def _when(run: Any, kind: WaveKind, group: Iterable[Any]) -> str:
    if kind is WaveKind.SWEEP:
        return "after the rest"
    is_local = any(w.zone for w in group)
    return rest_words(wall_of(run.occurrence)) if is_local else "when the winner is known"


def _state(group: Sequence[Any], due_at: datetime | None, now: datetime) -> str:
    if all(w.done_at for w in group):
        return "done"
    if due_at is None:
        return "waits for the winner"
    return "under way" if due_at <= now else "planned"


def _channels(tallies: Iterable[Any]) -> Iterable[ChannelBar]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in tallies:
        found[row.channel].append(row)
    for channel in Channel:
        rows = found.get(channel.value, [])
        if rows:
            yield ChannelBar(
                channel=channel,
                count=sum(r.count for r in rows),
                ended=sum(r.count for r in rows if D(r.status) not in OPEN),
                sent=sum(r.count for r in rows if D(r.status) in HANDED_OVER),
                delivered=sum(r.count for r in rows if r.status == D.DELIVERED),
                trouble=sum(r.count for r in rows if D(r.status) in TROUBLE),
                withheld=sum(r.count for r in rows if r.status in (D.SKIPPED, D.CANCELLED)),
            )


def _troubles(tallies: Iterable[Any]) -> Iterable[Trouble]:
    """The most frequent first."""
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in tallies:
        if D(row.status) in TROUBLE:
            found[row.status, row.reason] += row.count
    for (status, reason), count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        yield Trouble(D(status), reason, said(reason) or D(status).sentence, count)


def said(reason: str) -> str:
    return Reason(reason).sentence if reason in set(Reason) else reason
