"""The admin's sidebar: which pages there are, in which order, and who sees them. A page is named here, never imported."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy

from apps.ledger.dead_letters import count_open

Item = dict[str, Any]
MOST_COUNTED = 99


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _rows(title: str, icon: str, app: str, model: str, **more: Any) -> Item:
    """The list of a model."""
    link = reverse_lazy(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": _may(f"{app}.view_{model}"), **more}


def _within(*models: str) -> Callable[[HttpRequest], bool]:
    """Whether the page is about one of these models."""
    return lambda request: request.path.startswith(tuple(reverse(f"admin:{model}_changelist") for model in models))


def _open_letters(request: HttpRequest) -> Item:
    """How many wait for an operator, as a badge; nothing when none do."""
    count = count_open(most=MOST_COUNTED + 1) if request.user.has_perm("ledger.view_deadletter") else 0
    said = f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count)
    return {"badge": said, "badge_variant": "danger"} if count else {}


def navigation(request: HttpRequest) -> list[Item]:
    """UNFOLD["SIDEBAR"]["navigation"]."""
    return [
        {
            "items": [
                {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
                _rows("Notifications", "notifications", "ledger", "notification"),
                _rows("Deliveries", "send", "ledger", "delivery"),
                {
                    "title": "In doubt",
                    "icon": "help",
                    "link": reverse_lazy("admin:ledger_indoubt_changelist"),
                    "permission": _may("ledger.view_delivery"),
                },
                _rows("Dead letters", "mail_off", "ledger", "deadletter", **_open_letters(request)),
                {
                    "title": "Sandbox",
                    "icon": "science",
                    "link": reverse_lazy("sandbox"),
                    "permission": _may("tenants.see_unmasked"),
                },
            ],
        },
        {
            "title": "People",
            "items": [
                _rows("Recipients", "person", "audience", "recipient"),
                _rows("Imports", "upload_file", "audience", "import"),
                _rows("Segments and lists", "groups", "audience", "segment"),
                _rows("Preferences", "tune", "preferences", "preference"),
                _rows("Mutes", "notifications_paused", "preferences", "mute"),
                _rows("Quiet hours, digests", "schedule", "preferences", "profile"),
                _rows("Consent history", "history", "preferences", "consentrecord"),
                _rows("Preference defaults", "rule", "preferences", "defaultpreference"),
                _rows("Suppressions", "block", "preferences", "suppression"),
                _rows("Quiet hours", "bedtime", "preferences", "quiethoursrule"),
                _rows("Frequency caps", "speed", "preferences", "frequencycap"),
                _rows("Inbox items", "inbox", "inbox", "inboxitem"),
            ],
        },
        {
            "title": "Content",
            "items": [
                _rows(
                    "Campaigns",
                    "campaign",
                    "campaigns",
                    "campaign",
                    active=_within("campaigns_campaign", "campaigns_run"),
                ),
                _rows(
                    "Approvals",
                    "order_approve",
                    "campaigns",
                    "approval",
                    permission=_may("campaigns.view_campaign"),
                ),
                _rows("Rules for campaigns", "policy", "campaigns", "policy"),
                _rows("Templates", "draft", "message_templates", "template"),
                _rows("Seed lists", "forward_to_inbox", "message_templates", "seedlist"),
                _rows("Event types", "bolt", "events", "eventtype"),
                _rows("Schedules", "event_repeat", "schedules", "schedule"),
                _rows("Schedule runs", "history", "schedules", "schedulerun"),
            ],
        },
        {
            "title": "Channels",
            "items": [
                _rows("Provider accounts", "cell_tower", "channels", "provideraccount"),
                _rows("Prices", "payments", "channels", "price"),
                _rows("Receipt calls", "move_to_inbox", "receipts", "receiptcall"),
                _rows("Receipt norms", "hourglass", "insights", "receiptnorm"),
                _rows("Probes", "radar", "insights", "probe"),
            ],
        },
        {
            "title": "Webhooks",
            "items": [
                _rows("Webhook endpoints", "webhook", "webhooks", "webhookendpoint"),
                _rows("Webhook attempts", "outbox", "webhooks", "webhookattempt"),
            ],
        },
        {
            "title": "Access",
            "items": [
                _rows("Tenants", "domain", "tenants", "tenant"),
                _rows("API keys", "key", "tenants", "apikey"),
                _rows("Guests", "group", "tenants", "guest"),
                _rows("Roles of staff", "assignment_ind", "tenants", "membership"),
                _rows("Audit log", "fact_check", "tenants", "auditentry"),
                _rows("Staff", "badge", "auth", "user"),
                _rows("Staff groups", "shield_person", "auth", "group"),
                _rows("Periodic tasks", "schedule", "django_celery_beat", "periodictask"),
            ],
        },
    ]
