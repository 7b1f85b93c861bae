"""What people chose and what they said about it, to look at; and what tenants lay down for those who chose nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.audience.finding import recipients_by
from apps.core import clock, ids
from apps.core.admin_bases import TONES, ReadOnly, display, door, moment
from apps.core.admin_feeds import FeedAdmin
from apps.core.admin_filters import one_of, states
from apps.core.enums import Category, Channel
from apps.core.types import Choices, Default
from apps.preferences import models
from apps.preferences.choice_forms import DefaultForm
from apps.preferences.choosing import rules_of, stored
from apps.preferences.rule_admin import RuleAdmin
from apps.preferences.topics import CHANNELS
from apps.preferences.weighing import Holding, holding
from apps.tenants.selectors import tenants
from apps.tenants.tenant_filter import TenantColumn, TenantFilter

_ON = {"on": ("on", Q(is_on=True)), "off": ("off", Q(is_on=False))}
_WHAT = ("preference", "mute", "quiet_hours", "digest_time", "blocked_actors", "suppression")


class OfPerson(ReadOnly, TenantColumn, FeedAdmin):
    """Rows of a person, found by the person. Looked at here, changed by the person, or by the tenant through the API."""

    list_display_links = None
    list_select_related: ClassVar[tuple[str, ...]] = ("tenant", "recipient")
    search_fields = ("recipient_id",)
    search_help_text = "user_id, email, phone"
    search_detail = "Search takes a person's whole user_id, email address or phone number."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        id_ = ids.find(search_term)
        people = [id_] if id_ is not None else recipients_by(search_term.strip(), tenants())
        return queryset.filter(recipient_id__in=people), False

    @display(description="Recipient")
    def person(self, row: Any) -> SafeString:
        return door("audience_recipient_change", row.recipient_id, text=row.recipient)

    @display(description="Since")
    def since(self, row: Any) -> str:
        return moment(row.updated_at)


@admin.register(models.Preference)
class PreferenceAdmin(OfPerson):
    list_display = ("person", "topic", "channel", "is_", "source", "since", "tenant")
    list_filter = (states("is", _ON), one_of("channel", CHANNELS), TenantFilter)
    empty_sentence = "Nobody has switched anything yet. What nobody switched is as the tenant's defaults say, else on."

    @display(description="Is", label=TONES)
    def is_(self, row: Any) -> str:
        return row.digest or ("on" if row.is_on else "off")


@admin.register(models.Mute)
class MuteAdmin(OfPerson):
    list_display = ("person", "topic", "channel", "until_", "source", "since", "tenant")
    list_filter = (one_of("channel", CHANNELS), TenantFilter)
    empty_sentence = "Nobody has muted anything."

    @display(description="Until")
    def until_(self, row: Any) -> str:
        return moment(row.until)


@admin.register(models.Profile)
class ProfileAdmin(OfPerson):
    list_display = ("person", "nights", "digests", "blocks", "source", "since", "tenant")
    list_filter = (TenantFilter,)
    empty_sentence = "Nobody has chosen quiet hours, a time for digests, or blocked somebody."

    @display(description="Quiet hours")
    def nights(self, row: Any) -> str:
        if row.quiet_hours is None:
            return "as the tenant says"
        return ", ".join(f"{_clock(hours['start'])} to {_clock(hours['end'])}" for hours in row.quiet_hours) or "none"

    @display(description="Digests")
    def digests(self, row: Any) -> str:
        return f"{row.digest_hour:02}:00, weekly on day {row.digest_weekday + 1}"

    @display(description="Blocked actors")
    def blocks(self, row: Any) -> int:
        return len(row.blocked_actors)


@admin.register(models.ConsentRecord)
class ConsentRecordAdmin(OfPerson):
    """Append-only: the database refuses any change. `manage.py verify_consent` proves the chains."""

    list_display = ("person", "number", "what", "topic", "channel", "was", "became", "source", "at_", "tenant")
    list_filter = (one_of("what", _WHAT), TenantFilter)
    list_select_related: ClassVar[tuple[str, ...]] = ("tenant",)
    empty_sentence = "Nobody has chosen anything yet. Every change is recorded here, and stays."

    @display(description="Recipient")
    def person(self, row: Any) -> SafeString:
        return door("audience_recipient_change", row.recipient_id, text=row.recipient_id)

    @display(description="Was")
    def was(self, row: Any) -> str:
        return _state(row.before)

    @display(description="Became")
    def became(self, row: Any) -> str:
        return _state(row.after)

    @display(description="When")
    def at_(self, row: Any) -> str:
        return moment(row.at)


@admin.register(models.DefaultPreference)
class DefaultPreferenceAdmin(RuleAdmin):
    form = DefaultForm
    list_display = ("topic", "channel", "is_", "binds", "reason", "tenant")
    list_filter = (one_of("channel", CHANNELS), TenantFilter)
    search_fields: ClassVar[tuple[str, ...]] = ("topic",)
    ordering: ClassVar[tuple[str, ...]] = ("topic", "channel")
    empty_sentence = "No defaults: whatever a person has not switched is on."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "topic", "channel") if obj else ()

    @display(description="Is", label=TONES)
    def is_(self, row: Any) -> str:
        return row.digest or ("on" if row.is_on else "off")

    @display(description="Binds")
    def binds(self, row: Any) -> str:
        return "everybody" if row.is_locked else "who chose nothing"


def effective(tenant_id: UUID, recipient_id: UUID) -> Mapping[str, Any]:
    """What holds for a person, by category and channel, and what else they chose."""
    chosen = stored([recipient_id]).get(recipient_id, Choices())
    defaults = rules_of([tenant_id])[tenant_id].defaults
    now = clock.now()
    return {
        "channels": [channel.value for channel in Channel],
        "matrix": [
            (category.value, [_cell(chosen, defaults, category, channel) for channel in Channel])
            for category in Category
        ],
        "mutes": [mute for mute in chosen.mutes if mute.until > now],
        "chosen": chosen,
        "quiet_hours": None
        if chosen.quiet_hours is None
        else [f"{_clock(hours.start)} to {_clock(hours.end)}" for hours in chosen.quiet_hours],
        "blocked_actors": sorted(chosen.blocked_actors),
    }


def _cell(chosen: Choices, defaults: tuple[Default, ...], category: Category, channel: Channel) -> Mapping[str, str]:
    held = holding(chosen, defaults, "", category, channel, clock.now())
    word = "muted" if held.muted_until else held.digest or ("on" if held.is_on else "off")
    return {
        "is": word,
        "tone": "success" if word == "on" else "danger" if word == "off" else "warning",
        "by": _by(held),
    }


def _by(held: Holding) -> str:
    if held.by is None:
        return held.reason or "nobody chose"
    who = held.by.source if held.by.is_theirs else "the tenant"
    return f"{held.by.topic} / {held.by.channel}, {who}{', locked' if held.is_locked else ''}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _state(state: Any) -> str:
    match state:
        case None:
            return ""
        case dict():
            return ", ".join(f"{name} {value}" for name, value in state.items())
        case _:
            return f"{len(state)} of them" if state else "none"
