"""What the publish gate found: values, and the words for them."""

from dataclasses import dataclass, field
from uuid import UUID

from apps.core import ids
from apps.core.enums import Channel
from apps.core.problems import FieldError

MOST_EXAMPLES = 3
MOST_USERS = 10


@dataclass(frozen=True, slots=True)
class Example:
    """`kind`: break or change. `what`: which message. `diff`: lines with `-` and `+`; none of a break."""

    kind: str
    what: str
    field: str
    detail: str = ""
    line: int | None = None
    column: int | None = None
    diff: tuple[str, ...] = ()


@dataclass(slots=True)
class VariantCheck:
    """Of one channel, for readers of one locale. `failing`: failed with the version before as well, so nothing new breaks."""

    channel: Channel
    locale: str
    rendered: int = 0
    broken: int = 0
    failing: int = 0
    changed: int = 0
    same: int = 0
    examples: list[Example] = field(default_factory=list)

    def note(self, example: Example) -> None:
        """Three of each kind, of which no two say the same."""
        alike = [one for one in self.examples if one.kind == example.kind]
        told = [(one.field, one.detail, one.diff) for one in alike]
        if len(alike) < MOST_EXAMPLES and (example.field, example.detail, example.diff) not in told:
            self.examples.append(example)


@dataclass(frozen=True, slots=True)
class Lack:
    """A variable that this version needs and that these do not send."""

    variable: str
    users: tuple[str, ...]

    @property
    def text(self) -> str:
        named = ", ".join(self.users[:MOST_USERS])
        more = f" and {len(self.users) - MOST_USERS} more" if len(self.users) > MOST_USERS else ""
        return f"`{self.variable}` is not sent by {named}{more}."


@dataclass(frozen=True, slots=True)
class Check:
    """`number` of the draft, `against` the current version's (None: nothing is published). `payloads`: judged; `erased`: not judged
    because what they said is gone. `is_cut`: time was up before all were judged. `errors`: the draft's own, by its sample."""

    candidate: UUID
    number: int
    against: int | None
    payloads: int
    erased: int
    is_cut: bool
    seconds: float
    errors: tuple[FieldError, ...]
    results: tuple[VariantCheck, ...]
    lacks: tuple[Lack, ...]

    @property
    def has_breaks(self) -> bool:
        return bool(self.errors) or any(result.broken for result in self.results)

    @property
    def has_changes(self) -> bool:
        return any(result.changed for result in self.results)

    @property
    def seen(self) -> str:
        """What publishing takes as a word that somebody looked at these changes."""
        return ids.show(ids.TEMPLATE_VERSION, self.candidate)

    @property
    def text(self) -> str:
        if self.errors:
            said = "One thing is" if len(self.errors) == 1 else f"{len(self.errors)} things are"
            return f"{said} wrong with the draft itself; no message was tried."
        parts = [self._tried(), *(lack.text for lack in self.lacks)]
        if self.erased:
            parts.append(f"{_count(self.erased, 'message')} could not be tried: what they said was erased.")
        if self.is_cut:
            parts.append("Time was up: older messages were not tried.")
        return " ".join(parts)

    def _tried(self) -> str:
        if not self.payloads:
            return "No message of this template was sent lately: only the sample was tried."
        total = sum(result.rendered for result in self.results)
        found = {
            "would break": sum(result.broken for result in self.results),
            "failed before, too": sum(result.failing for result in self.results),
            "would say something else": sum(result.changed for result in self.results),
            "stay as they are": sum(result.same for result in self.results),
        }
        said = ", ".join(f"{count} {what}" for what, count in found.items() if count)
        return (
            f"Of {_count(self.payloads, 'message')} ({_count(total, 'rendering')}) with version {self.number}: {said}."
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
