"""Test sends, as a door for the admin of templates: the front door is a room above and says how when it is made ready."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.core.enums import Channel
from apps.core.types import Tenant


@dataclass(frozen=True, slots=True)
class Wish:
    """`is_live`: for real, else into the sandbox. `version`: None is the draft, or else the current one. `channels`: all if none."""

    key: str
    by: str
    is_live: bool = False
    user_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    seed_list: str = ""
    channels: tuple[Channel, ...] = ()
    locale: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """`id`: of the notification, as shown."""

    user_id: str
    channel: Channel
    id: str


Sender = Callable[[Tenant, Wish], Sequence[Sent]]
_senders: list[Sender] = []


def on_test_send(sender: Sender) -> None:
    _senders[:] = [sender]


def send_test(tenant: Tenant, wish: Wish) -> Sequence[Sent]:
    """Raises Problem (apps/ingest/test_sends.py)."""
    return [one for sender in _senders for one in sender(tenant, wish)]
