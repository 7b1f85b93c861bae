"""In-app needs no provider and no intent: feed item, attempt and status are one transaction, so it cannot be in doubt."""

from collections.abc import Sequence

from apps.core import ids
from apps.core.enums import DeliveryStatus, OutcomeKind
from apps.core.rows import atomic
from apps.core.types import NewInboxItem, NotificationFacts, Outcome, Rendered, Work
from apps.dispatch.facts import Facts
from apps.dispatch.summaries import group_of, replaced_by
from apps.inbox import services as inbox
from apps.ledger.merged import note_speaker
from apps.ledger.sending_results import Intent, Settlement, settle, write_completed

ACCOUNT = "inbox"
STORED = Outcome(OutcomeKind.ACCEPTED)


def deliver_in_app(ready: Sequence[tuple[Work, NotificationFacts, Rendered]], facts: Facts) -> None:
    """A summary of a group takes the place of what it has taken in and was not read."""
    if not ready:
        return
    with atomic():
        mine = settle(
            [Settlement(work, outcome=STORED, account=ACCOUNT, status=DeliveryStatus.DELIVERED) for work, _, _ in ready]
        )
        ours = [(work, n, rendered) for work, n, rendered in ready if work.id in mine]
        write_completed([Intent(work, ids.new(), ACCOUNT, rendered) for work, _, rendered in ours])
        replaced = inbox.add_items(
            [
                NewInboxItem(
                    id=work.id,
                    tenant_id=n.tenant_id,
                    recipient_id=n.recipient_id,
                    notification_id=n.id,
                    event_type=n.event_type,
                    category=n.category,
                    content=rendered.content,
                    expires_at=n.expires_at,
                    group=group_of(n, facts.event_type(n)),
                    replaces=replaced_by(n),
                )
                for work, n, rendered in ours
            ]
        )
        note_speaker(replaced)
    inbox.poke({n.recipient_id for _, n, _ in ours})
