"""A person's page: what was sent to them lately."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from apps.core import clock, ids
from apps.core.admin_bases import TONES
from apps.core.admin_panels import panel
from apps.ledger.admin.story import sentence
from apps.ledger.models import Notification
from apps.ledger.selectors import summaries

SHOWN = 10


@panel("recipient", order=10, template="admin/ledger/recipient_panel.html", permission="ledger.view_notification")
def latest(request: HttpRequest, subject: UUID | None) -> Mapping[str, Any] | None:
    rows = Notification.objects.all_tenants().filter(recipient_id=subject).defer("sealed").order_by("-id")[: SHOWN + 1]
    found = summaries(list(rows), clock.now())
    return {
        "has_more": len(found) > SHOWN,
        "subject": subject,
        "rows": [
            {
                "id": ids.show(ids.NOTIFICATION, summary.id),
                "at": summary.created_at,
                "what": summary.event_type or summary.template_key or "inline message",
                "status": summary.status.value,
                "tone": TONES.get(summary.status, ""),
                "sentence": sentence(summary),
            }
            for summary in found[:SHOWN]
        ],
    }
