"""What would turn a "no" or "later" into a yes, in the reader's words: theirs with the place on the settings page, else who decides it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from msgspec import structs

from apps.core import ids
from apps.core.enums import Channel, SuppressionReason
from apps.core.types import EventType
from apps.pages import wording
from apps.pages.matrix import anchor_of, channels_of, lock_of
from apps.pages.verifying import CHANNELS
from apps.routing.choosing import mutes
from apps.routing.explaining import Explained
from apps.routing.facts import Case
from apps.routing.flips import Flip
from apps.routing.quiet_hours import binding, open_from


@dataclass(frozen=True, slots=True)
class Remedy:
    """`anchor`: where the person does it on their settings page; empty: not there. `decides`: who else does, as a sentence."""

    text: str
    anchor: str = ""
    decides: str = ""


def remedies(explained: Explained, kind: EventType, tenant: str) -> list[Remedy]:
    """In order; all of them together lead to a yes. None for a yes."""
    found: list[Remedy] = []
    case: Case | None = explained.case
    for change in explained.changes:
        if case is not None:
            found += _WORDS.get(change.code, _theirs)(case, change, kind, tenant)
        case = change.then
    return found


Words = Callable[[Case, Flip, EventType, str], Iterator[Remedy]]


def _switched_on(case: Case, _change: Flip, kind: EventType, _tenant: str) -> Iterator[Remedy]:
    yield Remedy(_("Switch it on: %(channel)s") % {"channel": wording.channel_name(case.channel)}, _cell(case, kind))


def _single(case: Case, change: Flip, kind: EventType, tenant: str) -> Iterator[Remedy]:
    if lock_of(kind.key, kind.category, case.channel, case.rules) is not None:
        yield from _theirs(case, change, kind, tenant)
        return
    said = _("Choose single messages, not a digest: %(channel)s") % {"channel": wording.channel_name(case.channel)}
    yield Remedy(said, _cell(case, kind))


def _unmuted(case: Case, _change: Flip, _kind: EventType, tenant: str) -> Iterator[Remedy]:
    """Only a pause of everything can be ended on the page."""
    found = mutes(case)
    others = [m for m in found if (m.because["topic"], m.because["channel"]) != ("*", "*")]
    if len(others) < len(found):
        yield Remedy(_("End the pause"), "h-paused")
    if others:
        until = wording.moment(others[0].until, case.person.zone)
        where = wording.where(others[0].because["source"], tenant)
        yield Remedy(
            _("It is muted until %(time)s.") % {"time": until},
            decides=_("You can end that earlier where it was chosen: %(where)s.") % {"where": where},
        )


def _opened(case: Case, change: Flip, _kind: EventType, tenant: str) -> Iterator[Remedy]:
    """Of quiet hours: are those in the way theirs to change?"""
    assert change.until is not None
    until = {"time": wording.moment(change.until, case.person.zone)}
    none = structs.replace(case.person, choices=replace(case.person.choices, quiet_hours=()))
    if open_from(binding(structs.replace(case, person=none)), case.person.zone, case.now) <= case.now:
        yield Remedy(_("Change your quiet hours, or wait until %(time)s.") % until, "h-quiet")
    else:
        yield Remedy(_("Wait until %(time)s.") % until, decides=_decides(tenant))


def _confirmed(case: Case, change: Flip, kind: EventType, tenant: str) -> Iterator[Remedy]:
    mine = [e for e in case.person.endpoints if e.channel == case.channel and not (e.is_verified or e.is_retired)]
    if mine and case.channel in CHANNELS:
        yield Remedy(_("Confirm your address"), f"verify-{ids.show(ids.ENDPOINT, mine[0].id)}")
    else:
        yield from _added(case, change, kind, tenant)


def _added(case: Case, _change: Flip, _kind: EventType, tenant: str) -> Iterator[Remedy]:
    yield Remedy(
        {
            Channel.PUSH: _("A device of yours: allow notifications in the app of %(tenant)s."),
            Channel.EMAIL: _("An email address of yours that works: %(tenant)s stores it for you."),
            Channel.SMS: _("A phone number of yours that works: %(tenant)s stores it for you."),
        }[case.channel]
        % {"tenant": tenant}
    )


def _lifted(case: Case, change: Flip, kind: EventType, tenant: str) -> Iterator[Remedy]:
    mine = {e.id for e in case.person.endpoints if e.channel == case.channel}
    vetoes = [veto for id_, veto in case.person.suppressed.items() if id_ in mine]
    if any(v.reason == SuppressionReason.OPTED_OUT and v.source == "inbound" for v in vetoes):
        yield Remedy(_("Answer START to the number that wrote to you."))
    else:
        yield from _theirs(case, change, kind, tenant)


def _theirs(case: Case, change: Flip, _kind: EventType, tenant: str) -> Iterator[Remedy]:
    """The tenant's to change."""
    said = {
        "unlock_default": _("That everybody may choose this."),
        "leave_digest": _("Single messages instead of a digest."),
        "lift_suppression": _("That messages may go to your address again, or another address."),
        "raise_cap": _("That more messages are allowed, or that some time passes."),
        "end_grouping": _("That such messages are no longer summed up."),
        "publish_template": _("That there is a text for it."),
        "set_up_provider": _("That messages can be sent this way."),
        "unblock_recipient": _("That you get messages again."),
    }
    yield Remedy(said.get(change.code, _("Something that is not in your settings.")), decides=_decides(tenant))


_WORDS: Mapping[str, Words] = {
    "switch_on": _switched_on,
    "leave_digest": _single,
    "end_mute": _unmuted,
    "wait": _opened,
    "verify_address": _confirmed,
    "add_address": _added,
    "lift_suppression": _lifted,
}


def _cell(case: Case, kind: EventType) -> str:
    """Of the table; the table itself where it has none."""
    return anchor_of(kind.key, case.channel) if case.channel in channels_of(kind) else "h-matrix"


def _decides(tenant: str) -> str:
    return _("%(tenant)s decides this.") % {"tenant": tenant}
