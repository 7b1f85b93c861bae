"""What rules of segments may ask about choices: what somebody switched, and whether they are muted now."""

from typing import Any

from apps.audience.segments.fields import Asked, Field, Kind, one_of, register
from apps.core.enums import Channel
from apps.preferences.topics import ANY, is_topic

_ANY_CHANNEL = "any"


def _switched(asked: Asked) -> str:
    """A choice of their own about exactly that topic and channel; `any`: one that holds for all channels."""
    channel = ANY if asked.path == _ANY_CHANNEL else asked.path
    return (
        f"EXISTS (SELECT FROM preferences_preference p WHERE p.tenant_id = {asked.tenant} AND p.recipient_id = r.id"
        f" AND p.topic = {asked.put(asked.value, 'text')} AND p.channel = {asked.put(channel, 'text')}"
        f" AND {'' if asked.op == 'switched_on' else 'NOT '}p.is_on)"
    )


def _muted(asked: Asked) -> str:
    """A pause of everything, on all channels."""
    found = (
        f"EXISTS (SELECT FROM preferences_mute m WHERE m.tenant_id = {asked.tenant} AND m.recipient_id = r.id"
        f" AND m.topic = '*' AND m.channel = '*' AND m.until > {asked.put(asked.now, 'timestamptz')})"
    )
    return found if asked.value else f"NOT {found}"


def _topic_check(_: str, value: Any) -> str:
    said = "is neither an event type, a pattern like `order.*`, a `category:<name>` nor `*`."
    return "" if is_topic(value) else f"`{value}` {said}"


_PATHS = (_ANY_CHANNEL, *(channel.value for channel in Channel))


def register_all() -> None:
    register(
        Field(
            key="preferences.",
            label="Switched off or on",
            ops={"switched_off": Kind.TEXT, "switched_on": Kind.TEXT},
            write=_switched,
            check=_topic_check,
            has_path=one_of(_PATHS),
            paths=_PATHS,
            choices=("category:marketing", "category:social", "category:transactional", "*"),
            group="Preferences",
            weight=2,
        ),
        Field("muted", "Paused everything", {"is": Kind.BOOL}, _muted, group="Preferences", weight=2),
    )
