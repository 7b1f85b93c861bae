"""Acme's event types, and Rosa who looks at her settings."""

from typing import Any
from uuid import UUID

from django.test import Client

from apps.core.enums import Category, Channel
from apps.events.models import EventType
from apps.pages.visitors import visitor_of
from apps.preferences import links
from tests.integration.dispatch_cast import tenant

KINDS = (
    ("order.shipped", "Order shipped", Category.TRANSACTIONAL, ["email", "sms", "push", "in_app"]),
    ("order.paid", "Payment received", Category.TRANSACTIONAL, ["email"]),
    ("comment.new", "New comment", Category.SOCIAL, ["email", "push", "in_app"]),
    ("like.new", "New like", Category.SOCIAL, ["push", "in_app"]),
    ("news.weekly", "Weekly news", Category.MARKETING, ["email"]),
    ("offer.daily", "Daily offers", Category.MARKETING, ["email", "push"]),
    ("login.code", "Sign-in code", Category.CRITICAL, ["sms", "email"]),
)


def catalogue(slug: str = "acme") -> None:
    owner = tenant(slug)
    EventType.objects.bulk_create(
        [EventType(tenant_id=owner, key=k, name=n, category=c.value, channels=ch, **GOVERNED) for k, n, c, ch in KINDS]
    )


GOVERNED: Any = {"critical_reason": "Codes", "critical_asked_by": "mira", "critical_approved_by": "rosa"}


class Browser:
    """Without JavaScript: fills in forms of the page that it saw last."""

    def __init__(self, recipient: UUID, **headers: str) -> None:
        self.recipient, self.client = recipient, Client(headers={"user-agent": "Lynx", **headers})
        self.token = links.settings_token(recipient)
        self.url = f"/preferences/{self.token}/"

    def get(self, path: str = "") -> Any:
        return self.client.get(self.url + path)

    def post(self, do: str, *, follow: bool = True, **fields: Any) -> Any:
        """With what the page's own forms carry."""
        seen = self.get().context
        given = {"form_key": seen["visitor"].form_key, "do": do, **fields}
        return self.client.post(self.url + "change", given, follow=follow)

    def cells(self, **changed: str) -> Any:
        """`order__shipped="email=off"`: all cells of the form as they are shown, but these."""
        seen = self.get().context
        fields = {
            cell["field"]: "" if cell["state"] == "mixed" else cell["state"]
            for group in seen["groups"]
            for row in group["rows"]
            for cell in row["cells"]
            if cell["is_sent"] and not cell["is_locked"]
        }
        for topic, text in changed.items():
            channel, _, state = text.partition("=")
            fields[f"{topic.replace('__', '.').replace('category_', 'category:')}|{channel}"] = state
        return self.post("cells", version=seen["version"], **fields)

    def undo(self, page: Any) -> Any:
        return self.post("undo", done=page.context["done_token"])


__all__ = ["Browser", "Channel", "catalogue", "visitor_of"]
