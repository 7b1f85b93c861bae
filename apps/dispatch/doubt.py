"""What is planned for a delivery whose provider gave no answer: looked up in the policy, written as work beside the settlement."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apps.channels import registry
from apps.channels import selectors as channels
from apps.core import clock
from apps.core.enums import DoubtMove, ResendInDoubt, WorkKind
from apps.core.types import Account, EventType, Work
from apps.dispatch.fallback import event_types
from apps.ledger.doubts import Doubtful, Planned, doubtful, plan_doubts
from apps.routing.chains import follows
from apps.routing.doubting import Doubt, next_plan


def plan(works: Collection[Work]) -> None:
    """For deliveries that became unknown just now, in the transaction that settled them. Four statements, whatever their number."""
    fresh = [work for work in works if work.kind != WorkKind.RESEND]
    if not fresh:
        return
    now = clock.now()
    known = doubtful([work.id for work in fresh])
    kinds = event_types({work.notification_id for work in fresh})
    planned = []
    for work in fresh:
        account = channels.account_by_key(known[work.id].account) if work.id in known else None
        found = next_plan(doubt_of(work, kinds.get(work.notification_id), account, now, age=0.0))
        if found.move != DoubtMove.LEAVE:
            planned.append(Planned(work, found.move, found.wait))
    plan_doubts(planned)


def doubt_of(
    work: Work,
    kind: EventType | None,
    account: Account | None,
    now: datetime,
    *,
    age: float | None = None,
    was_asked: bool = False,
    is_absent: bool = False,
    may_move_on: bool = True,
) -> Doubt:
    """`age`: by default since the work says that the doubt began."""
    assert work.channel is not None
    provider = registry.provider(account.provider) if account else None
    return Doubt(
        category=work.lane,
        channel=work.channel,
        setting=kind.resend_in_doubt if kind else ResendInDoubt.DEFAULT,
        has_receipts=provider is not None and provider.has_receipts,
        has_look_up=provider is not None and provider.has_look_up,
        has_next=may_move_on and kind is not None and follows(kind.fallback, work.channel),
        is_resent=work.kind == WorkKind.RESEND,
        was_asked=was_asked,
        is_absent=is_absent,
        age=(now - work.order_at).total_seconds() if age is None else age,
        expires_in=(work.expires_at - now).total_seconds() if work.expires_at else None,
    )


def accounts(known: Mapping[UUID, Doubtful], works: Sequence[Work]) -> dict[UUID, Account | None]:
    """Through which account each doubtful attempt went; None where it is gone."""
    return {work.id: channels.account_by_key(known[work.id].account) for work in works}
