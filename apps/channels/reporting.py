"""How receipts of accounts usually come. Somebody above learns it and says so here; of whom nothing is known, a plain guess is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.channels import registry
from apps.channels import selectors as channels
from apps.core.enums import Channel

PATIENCE = 600.0
_CARRIED = (Channel.PUSH, Channel.EMAIL, Channel.SMS)


@dataclass(frozen=True, slots=True)
class Norm:
    """`patience`: seconds to wait for a receipt; `missing`: the share of messages that never get one."""

    patience: float = PATIENCE
    missing: float = 0.0


_learnt: list[Callable[[], Mapping[str, Norm]]] = []


def on_norms(source: Callable[[], Mapping[str, Norm]]) -> None:
    """`source`: what was learnt, by account key."""
    _learnt.append(source)


def norms() -> dict[str, Norm]:
    """Of every account, on or off, whose provider sends receipts, and of the sandbox's own."""
    accounts = [*(account for account, _ in channels.every_account()), *map(channels.sandbox_account, _CARRIED)]
    reporting = [account.key for account in accounts if registry.provider(account.provider).has_receipts]
    known = {key: norm for source in _learnt for key, norm in source().items()}
    return {key: known.get(key, Norm()) for key in reporting}
