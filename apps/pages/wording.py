"""What these pages say about topics, channels, times and reasons, in the language that is active."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time, get_day_names
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from apps.core.enums import Category, Channel, DeliveryStatus, DigestFrequency, Reason
from apps.ledger.journal import Part, Volume

WEEKS = 4
CHANNELS = tuple(Channel)


def channel_names() -> Mapping[str, str]:
    """Asked for once a page: each word is looked up."""
    return {
        Channel.PUSH.value: _("Push"),
        Channel.EMAIL.value: _("Email"),
        Channel.SMS.value: _("SMS"),
        Channel.IN_APP.value: _("In the app"),
    }


def channel_name(channel: str) -> str:
    return channel_names()[channel]


def category_name(category: str) -> str:
    return {
        Category.CRITICAL: _("Security and safety"),
        Category.TRANSACTIONAL: _("Orders and account"),
        Category.SOCIAL: _("Other people"),
        Category.MARKETING: _("Offers and news"),
    }[Category(category)]


def category_words(category: str) -> str:
    return {
        Category.CRITICAL: _("Sign-ins, codes, warnings."),
        Category.TRANSACTIONAL: _("Orders, bookings, payments: what follows from something you did."),
        Category.SOCIAL: _("Comments, likes, messages: what others did that concerns you."),
        Category.MARKETING: _("Promotion. You can stop all of it at any time."),
    }[Category(category)]


def state_names() -> Mapping[str, str]:
    return {
        "on": _("On"),
        "off": _("Off"),
        DigestFrequency.HOURLY.value: _("Hourly"),
        DigestFrequency.DAILY.value: _("Daily"),
        DigestFrequency.WEEKLY.value: _("Weekly"),
        "": _("Mixed"),
    }


def topic_name(topic: str, names: Mapping[str, str]) -> str:
    """`names`: of event types, by key."""
    kind, _colon, category = topic.partition(":")
    if kind == "category":
        return category_name(category)
    return _("Everything") if topic == "*" else names.get(topic, topic)


def volume(found: Volume | None, zone: str) -> str:
    if found is None:
        return _("None yet")
    last = _("last on %(day)s") % {"day": day(found.last_at, zone)}
    if found.count == 0:
        return _("%(often)s, %(last)s") % {"often": _("none lately"), "last": last}
    weekly = round(found.count / WEEKS)
    if weekly >= 1:
        often = ngettext("about %(count)d a week", "about %(count)d a week", weekly) % {"count": weekly}
    else:
        often = ngettext("about %(count)d a month", "about %(count)d a month", found.count) % {"count": found.count}
    return _("%(often)s, %(last)s") % {"often": often, "last": last}


def day(at: datetime, zone: str) -> str:
    """`3 Nov`, as one writes it there."""
    return format_skeleton("MMMd", at, ZoneInfo(zone), locale=_locale())


def moment(at: datetime, zone: str) -> str:
    wall = at.astimezone(ZoneInfo(zone))
    return f"{format_date(wall, 'medium', locale=_locale())} {format_time(wall, 'short', locale=_locale())}"


def whole_day(at: datetime, zone: str) -> str:
    return format_date(at.astimezone(ZoneInfo(zone)), "full", locale=_locale())


def weekdays() -> list[str]:
    """Monday first."""
    names = get_day_names("wide", locale=_locale())
    return [str(names[number]) for number in range(7)]


def status(part: Part) -> str:
    return {
        DeliveryStatus.QUEUED: _("On its way"),
        DeliveryStatus.HELD: _("Waiting"),
        DeliveryStatus.SENDING: _("On its way"),
        DeliveryStatus.SENT: _("Sent"),
        DeliveryStatus.DELIVERED: _("Arrived"),
        DeliveryStatus.SKIPPED: _("Held back"),
        DeliveryStatus.FAILED: _("Did not work"),
        DeliveryStatus.BOUNCED: _("Came back"),
        DeliveryStatus.EXPIRED: _("Too late"),
        DeliveryStatus.CANCELLED: _("Taken back"),
        DeliveryStatus.UNKNOWN: _("Not sure that it arrived"),
        DeliveryStatus.MERGED: _("In a summary"),
    }[part.status]


def why(part: Part, tenant: str, zone: str) -> list[str]:
    """Sentences; none where it simply went out."""
    said: list[str] = []
    if part.bypassed:
        said.append(_("It was sent although you chose otherwise, because it is needed for your security or safety."))
        said.append(_(part.bypassed.sentence))
    elif part.reason and part.status not in _WENT_OUT:
        said.append(_(part.reason.sentence))
    return said + (because(part.because, tenant, zone) if said else [])


_WENT_OUT = frozenset({DeliveryStatus.SENT, DeliveryStatus.DELIVERED})


def because(rests_on: Mapping[str, Any], tenant: str, zone: str) -> list[str]:
    """What a decision rested on, as far as it concerns the person."""
    said: list[str] = []
    source, since, until = rests_on.get("source"), _time(rests_on.get("since")), _time(rests_on.get("until"))
    if source == "tenant":
        said.append(_("%(tenant)s decided this for everybody.") % {"tenant": tenant})
        if reason := rests_on.get("reason"):
            said.append(str(reason))
    elif source and since:
        words = {"day": whole_day(since, zone), "where": where(str(source), tenant)}
        said.append(_("You chose this on %(day)s: %(where)s.") % words)
    if "limit" in rests_on:
        said.append(_("At most %(limit)s are allowed in that time.") % {"limit": rests_on["limit"]})
    if until:
        said.append(_("Until %(time)s.") % {"time": moment(until, zone)})
    return said


def where(source: str, tenant: str) -> str:
    """By which door a choice was made."""
    return {
        "settings_page": _("on your settings page"),
        "one_click": _("with the unsubscribe button of your mail program"),
        "unsubscribe_page": _("by the unsubscribe link of a message"),
        "inbound": _("by answering a text message"),
        "receipt": _("by reporting a message or opting out at the provider"),
        "api": _("in an app of %(tenant)s") % {"tenant": tenant},
        "admin": _("by the staff of %(tenant)s") % {"tenant": tenant},
    }.get(source, _("in an app of %(tenant)s") % {"tenant": tenant})


def lock(sentence: str) -> str:
    """Why a cell cannot be changed: our own words about critical messages, or the tenant's."""
    if sentence == Category.CRITICAL.sentence:
        return _("It is needed for your security or safety.")
    return sentence


def reason(found: Reason) -> str:
    return _(found.sentence)


def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) else None


def _locale() -> str:
    return get_language() or "en"
