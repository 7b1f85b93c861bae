"""How many parts the texts of a campaign take: rendered for some of its people, because names and languages differ in length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final
from uuid import UUID

from apps.audience import selectors as audience
from apps.audience.segments.compiling import Condition
from apps.audience.segments.pages import page_of
from apps.campaigns import splitting
from apps.campaigns.intervals import BOTH
from apps.campaigns.splitting import Purpose
from apps.core.enums import Category, Channel, KeyMode, Priority
from apps.core.types import NOTHING_CHOSEN, NotificationFacts, Recipient
from apps.dispatch.messages import render_content
from apps.routing.facts import Person
from apps.templates import rendering

SAMPLES: Final = 200
_HASHES: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a message on average: between `low` and `high` nineteen times in twenty. `most`: of the longest seen. `failed` of `sampled`
    could not be rendered."""

    low: float = 1.0
    high: float = 1.0
    most: int = 1
    sampled: int = 0
    failed: int = 0


def parts_of_texts(
    *,
    tenant_id: UUID,
    campaign_id: UUID,
    definition: Mapping[str, Any],
    condition: Condition,
    people: int,
) -> Parts:
    """Of an SMS: each of the sampled people gets the variant that is theirs. The same people whenever it is asked."""
    found, failed = [], 0
    variants = definition["variants"]
    contents = rendering.versions(UUID(v["version_id"]) for v in variants if v["version_id"])
    salt, weights = splitting.salt_of(campaign_id, Purpose.VARIANT), [v["weight"] for v in variants]
    for recipient in _some(tenant_id, condition, people):
        variant = variants[splitting.variant_of(splitting.share(recipient.id, salt), weights)]
        content = contents.get(UUID(variant["version_id"])) if variant["version_id"] else None
        try:
            facts = _facts(tenant_id, recipient, definition)
            found.append(render_content(facts, content, _person(recipient), Channel.SMS, facts.id).parts)
        except rendering.RenderError:
            failed += 1
    return summed_up(found, failed=failed, people=people)


def summed_up(parts: Sequence[int], *, failed: int = 0, people: int = 0) -> Parts:
    """The mean with its interval, within what was seen; no interval where all of the `people` were seen."""
    if not parts:
        return Parts(sampled=failed, failed=failed)
    count, mean = len(parts), sum(parts) / len(parts)
    spread = sum((one - mean) ** 2 for one in parts) / max(1, count - 1)
    unseen = max(0, people - count - failed) / max(1, people - 1) if people else 1.0
    half = BOTH * sqrt(spread / count * unseen)
    low, high = max(min(parts), mean - half), min(max(parts), mean + half)
    return Parts(low, high, max(parts), count + failed, failed)


def _some(tenant_id: UUID, condition: Condition, people: int) -> list[Recipient]:
    """Spread over all of them by a hash; everybody where there are not more than are wanted."""
    extra = None
    if people > SAMPLES:
        # a few more than wanted on average: too few would do as well
        cut = min(_HASHES, _HASHES * SAMPLES * 5 // (people * 4))
        extra = Condition("(uuid_hash(r.id) & 2147483647) < %(sampled)s", {"sampled": cut})
    found = audience.recipients(page_of(tenant_id, condition, size=SAMPLES, extra=extra))
    return list(found.values())


def _facts(tenant_id: UUID, recipient: Recipient, definition: Mapping[str, Any]) -> NotificationFacts:
    return NotificationFacts(
        id=recipient.id,
        tenant_id=tenant_id,
        recipient_id=recipient.id,
        mode=KeyMode(definition["mode"]),
        category=Category(definition["category"]),
        event_type=definition.get("event_type", ""),
        template_key="",
        channels=(Channel.SMS,),
        priority=Priority(definition["priority"]),
        data=definition.get("data") or {},
        content={},
        expires_at=None,
        actor_id="",
        object_id="",
        ordering_key="",
        source="campaign",
    )


def _person(recipient: Recipient) -> Person:
    return Person(recipient=recipient, endpoints=(), choices=NOTHING_CHOSEN, suppressed={}, is_guest=False)
