"""What each role may do: one table, made into Django's groups by `make_roles`, which `manage.py migrate` runs at its end.

A group of another name is nobody's business here; a role's group is set back to this table by every migrate.
"""

from collections.abc import Mapping
from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db import transaction

_V, _VC = ("view",), ("view", "change")
_VACD = ("view", "add", "change", "delete")


class Role(StrEnum):
    MARKETER = "marketer"
    APPROVER = "approver"
    SUPPORT = "support"
    OPERATOR = "operator"
    DEVELOPER = "developer"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES: Mapping[str, str] = {
    "marketer": "Builds segments, imports people, writes and publishes templates, makes campaigns and launches what is approved.",
    "approver": "Reads campaigns and templates, approves campaigns or asks for changes; never what they wrote themselves.",
    "support": "Finds people, their messages and why they got them or not; sees addresses masked, takes nothing away.",
    "operator": "Keeps it running: accounts, dead letters, retries, pausing campaigns, approving what is critical.",
    "developer": "Builds on it: event types, test keys, webhooks, schedules, templates.",
}

# app.model -> verbs; a whole permission stands with an empty tuple
Table = dict[str, tuple[str, ...]]
# of everybody: what they belong to
_OWN: Table = {"tenants.tenant": _V}
_STORIES: Table = {"ledger.notification": _V, "ledger.delivery": _V, "audience.recipient": _V, "events.eventtype": _V}
_RULES: Table = {"preferences.defaultpreference": _V, "preferences.quiethoursrule": _V, "preferences.frequencycap": _V}

TABLE: Mapping[Role, Table] = {
    Role.MARKETER: _OWN
    | _STORIES
    | _RULES
    | {
        "audience.segment": _VACD,
        "audience.import": _VACD,
        "message_templates.template": _VACD,
        "message_templates.seedlist": _VACD,
        "message_templates.publish_template": (),
        "campaigns.campaign": _VACD,
        "campaigns.launch_campaign": (),
        "campaigns.operate_campaign": (),
        "campaigns.policy": _V,
        "channels.price": _V,
        "insights.fatigueday": _V,
        "tenants.see_unmasked": (),
        "tenants.export_rows": (),
    },
    Role.APPROVER: _OWN
    | {
        "audience.segment": _V,
        "message_templates.template": _V,
        "campaigns.campaign": _V,
        "campaigns.approve_campaign": (),
        "campaigns.policy": _V,
        "channels.price": _V,
        "events.eventtype": _V,
        "tenants.auditentry": _V,
    },
    Role.SUPPORT: _OWN
    | _STORIES
    | {
        "inbox.inboxitem": _V,
        "preferences.preference": _V,
        "preferences.mute": _V,
        "preferences.profile": _V,
        "preferences.consentrecord": _V,
        "preferences.suppression": _V,
    },
    Role.OPERATOR: _OWN
    | _STORIES
    | _RULES
    | {
        "ledger.notification": _VC,
        "ledger.deadletter": _VC,
        "channels.provideraccount": _VACD,
        "channels.price": _VACD,
        "campaigns.policy": ("view", "add", "change"),
        "receipts.receiptcall": _VC,
        "insights.receiptnorm": _V,
        "insights.fatigueday": _V,
        "insights.probe": _VACD,
        "preferences.suppression": ("view", "add", "delete"),
        "schedules.schedule": _VC,
        "schedules.schedulerun": _V,
        "webhooks.webhookendpoint": _VC,
        "webhooks.webhookattempt": _V,
        "message_templates.template": _V,
        "campaigns.campaign": _V,
        "campaigns.operate_campaign": (),
        "campaigns.break_glass": (),
        "events.approve_critical": (),
        "tenants.apikey": _V,
        "tenants.auditentry": _V,
        "tenants.see_unmasked": (),
        "tenants.export_rows": (),
    },
    Role.DEVELOPER: _OWN
    | _STORIES
    | _RULES
    | {
        "events.eventtype": _VACD,
        "message_templates.template": _VACD,
        "message_templates.publish_template": (),
        "schedules.schedule": ("view", "add", "change"),
        "schedules.schedulerun": _V,
        "webhooks.webhookendpoint": ("view", "add", "change"),
        "webhooks.webhookattempt": _V,
        "tenants.apikey": ("view", "add", "change"),
        "tenants.guest": _VACD,
        "tenants.auditentry": _V,
        "tenants.see_unmasked": (),
    },
}


def permissions_of(role: Role) -> frozenset[str]:
    """As Django names them: `audience.add_segment`."""
    found = set()
    for name, verbs in TABLE[role].items():
        app, _, what = name.partition(".")
        found.update({f"{app}.{verb}_{what}" for verb in verbs} or {name})
    return frozenset(found)


def make_roles() -> frozenset[str]:
    """The groups, as the table says. Can be run again and again. Returns the permissions that do not exist (yet): left out."""
    with transaction.atomic():
        known = {
            f"{app}.{codename}": id_
            for id_, app, codename in Permission.objects.values_list("id", "content_type__app_label", "codename")
        }
        missing: set[str] = set()
        for role in Role:
            group, _ = Group.objects.get_or_create(name=role.value)
            wanted = permissions_of(role)
            group.permissions.set(known[name] for name in wanted if name in known)
            missing |= wanted - known.keys()
    return frozenset(missing)
