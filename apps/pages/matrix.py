"""Event types by category, times channels: what holds in each cell and why it cannot be changed; and what a changed cell means. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.core.enums import Category, Channel, DigestFrequency
from apps.core.types import Choices, EventType, Switch, TenantRules
from apps.preferences.weighing import holding

ON, OFF, MIXED = "on", "off", ""
STATES = (ON, OFF, *(frequency.value for frequency in DigestFrequency))
_AFTER_ALL_MUTES = datetime.max.replace(tzinfo=UTC)
ORDER = (Category.CRITICAL, Category.TRANSACTIONAL, Category.SOCIAL, Category.MARKETING)


@dataclass(frozen=True, slots=True)
class Cell:
    """`state`: one of STATES, or MIXED for a category whose event types differ. `lock`: why it cannot be changed (None: it can)."""

    topic: str
    channel: Channel
    state: str
    lock: str | None = None

    @property
    def field(self) -> str:
        return f"{self.topic}|{self.channel}"

    @property
    def anchor(self) -> str:
        return anchor_of(self.topic, self.channel)


@dataclass(frozen=True, slots=True)
class Row:
    """`cells`: by channel; None where nothing of it is sent by that channel. `event_type` None: the whole category."""

    topic: str
    category: Category
    event_type: EventType | None
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Group:
    category: Category
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    channels: tuple[Channel, ...]
    groups: tuple[Group, ...]

    @property
    def cells(self) -> Iterator[Cell]:
        return (cell for group in self.groups for row in group.rows for cell in row.cells if cell)


def matrix(types: Sequence[EventType], choices: Choices, rules: TenantRules, seen: Iterable[str] = ()) -> Matrix:
    """`seen`: categories of which the person got something without an event type."""
    by_category: dict[Category, list[EventType]] = {category: [] for category in ORDER}
    for kind in sorted(types, key=lambda kind: kind.name.casefold()):
        by_category[kind.category].append(kind)
    used = {channel for kind in types for channel in channels_of(kind)}
    channels = tuple(channel for channel in Channel if channel in used or not used)
    shown = [c for c in ORDER if by_category[c] or c in set(seen) or not types]
    return Matrix(channels, tuple(_group(c, by_category[c], channels, choices, rules) for c in shown))


def state_of(event_type: str, category: Category, channel: Channel, choices: Choices, rules: TenantRules) -> str:
    """What holds, mutes aside."""
    found = holding(choices, rules.defaults, event_type, category, channel, _AFTER_ALL_MUTES)
    if not found.is_on:
        return OFF
    return found.digest.value if found.digest else ON


def switch_of(topic: str, channel: str, state: str) -> Switch:
    is_digest = state not in (ON, OFF)
    return Switch(topic, channel, state != OFF, DigestFrequency(state) if is_digest else None)


def lock_of(event_type: str, category: Category, channel: Channel, rules: TenantRules) -> str | None:
    """Why nobody can change it; an empty string where no reason was given."""
    found = holding(Choices(), rules.defaults, event_type, category, channel, _AFTER_ALL_MUTES)
    return found.reason if found.is_locked else None


def _group(
    category: Category,
    kinds: Sequence[EventType],
    channels: Sequence[Channel],
    choices: Choices,
    rules: TenantRules,
) -> Group:
    rows = [_row(kind.key, category, kind, channels, choices, rules) for kind in kinds]
    if len(rows) != 1:
        whole = _row("", category, None, channels, choices, rules)
        rows.insert(0, _over(whole, rows) if rows else whole)
    return Group(category, tuple(rows))


def _row(
    event_type: str,
    category: Category,
    kind: EventType | None,
    channels: Sequence[Channel],
    choices: Choices,
    rules: TenantRules,
) -> Row:
    topic = event_type or f"category:{category}"
    sent_by = channels_of(kind) if kind else frozenset(Channel)
    cells = tuple(
        Cell(
            topic,
            channel,
            state_of(event_type, category, channel, choices, rules),
            lock_of(event_type, category, channel, rules),
        )
        if channel in sent_by
        else None
        for channel in channels
    )
    return Row(topic, category, kind, cells)


def _over(whole: Row, rows: Sequence[Row]) -> Row:
    """The row of a category over those of its event types."""
    cells: list[Cell | None] = []
    for place, cell in enumerate(whole.cells):
        beneath = [found for row in rows if (found := row.cells[place])]
        assert cell is not None
        if not beneath:
            cells.append(None)
        elif {found.state for found in beneath} != {cell.state}:
            cells.append(Cell(cell.topic, cell.channel, MIXED, cell.lock))
        else:
            cells.append(cell)
    return Row(whole.topic, whole.category, None, tuple(cells))


def channels_of(kind: EventType) -> frozenset[Channel]:
    """Empty wishes: whatever there is content for, which may be any."""
    return frozenset((*kind.channels, *kind.fallback)) or frozenset(Channel)


def anchor_of(topic: str, channel: str) -> str:
    """The id of a cell on the page."""
    return f"c-{topic}-{channel}".replace(":", "-").replace(".", "_")


def names_of(types: Iterable[EventType]) -> Mapping[str, str]:
    return {kind.key: kind.name for kind in types}
