"""What a run's deliveries say for and against going on. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from apps.campaigns.braking import Evidence
from apps.channels.reporting import Norm
from apps.core.enums import Channel, Reason
from apps.core.enums import DeliveryStatus as D
from apps.ledger.tallies import Stage

NOT_RENDERED: Final = frozenset({Reason.TEMPLATE_ERROR, Reason.NO_TEMPLATE})
REFUSED: Final = frozenset({Reason.REJECTED, Reason.MISCONFIGURED})
NO_SUCH_ADDRESS: Final = frozenset({Reason.INVALID_ADDRESS, Reason.HARD_BOUNCE})


def evidence(stages: Sequence[Stage], receipts: Mapping[str, Norm]) -> list[Evidence]:
    """By channel; only of what is fresh."""
    fresh = [one for one in stages if one.is_fresh]
    return [_of(channel, [one for one in fresh if one.channel == channel], receipts) for channel in Channel]


def _of(channel: Channel, stages: Sequence[Stage], receipts: Mapping[str, Norm]) -> Evidence:
    def count(*, reasons: frozenset[Reason]) -> int:
        return sum(one.count for one in stages if one.reason in reasons)

    sent = sum(one.sent for one in stages)
    unrendered = count(reasons=NOT_RENDERED)
    # a provider may take a message and refuse it later: those are among the sent ones
    tried = sent + sum(one.count - one.sent for one in stages if one.reason in REFUSED | NO_SUCH_ADDRESS)
    late = [one for one in stages if one.is_overdue and one.account in receipts]
    overdue = sum(one.count for one in late)
    usual = sum(one.count * receipts[one.account].missing for one in late)
    return Evidence(
        channel,
        sent=sent,
        complained=sum(one.complained for one in stages),
        bounced=sum(one.count for one in stages if one.status == D.BOUNCED or one.reason in NO_SUCH_ADDRESS),
        opted_out=sum(one.unsubscribed for one in stages),
        rendered=tried + unrendered,
        render_errors=unrendered,
        tried=tried,
        rejected=count(reasons=REFUSED),
        overdue=overdue,
        missing=sum(one.count for one in late if one.status == D.SENT),
        usual=usual / overdue if overdue else 0.0,
    )
