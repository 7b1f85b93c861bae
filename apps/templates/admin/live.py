"""What is being typed, as the page shows it beside the editor: made anew after each pause."""

import json
from typing import Any

from django.http import QueryDict
from django.template.loader import render_to_string
from msgspec import to_builtins

from apps.audience.picking import people_by_locale, person
from apps.core.enums import Channel
from apps.core.types import Recipient, Rendered, Tenant
from apps.templates import models, sms
from apps.templates.admin.editor import completions, kind_of
from apps.templates.coverage import Fallback, fallbacks
from apps.templates.dressing import Look, dressed, knows_dark
from apps.templates.forms import VariantForm, typed_variants
from apps.templates.locales import locale_chain
from apps.templates.proving import Source
from apps.templates.services import MOST_VARIANTS
from apps.templates.trying import Trial, context_for, try_source
from apps.templates.variables import has

FALLBACKS_SHOWN = 6
REMARKS_SHOWN = 60


def live(tenant: Tenant, template: models.Template, data: QueryDict, *, sees_people: bool) -> dict[str, Any]:
    """`head` and `rest`: HTML around the mail; `mail`: for the `srcdoc` of its frame; `marks`: remarks with their places; `names`: what
    may be typed; `title`: of the frame. Of the variant whose place is `at`."""
    variants = typed_variants(
        data, is_layout=template.is_layout, is_partial=template.is_partial, most=MOST_VARIANTS, keep_all=True
    )
    at = data.get("at", "")
    form = next((one for one in variants if one.prefix == f"v{at}"), None)
    if form is None:
        return {"head": "", "rest": "", "mail": "", "marks": [], "names": []}
    sample, wrong = _sample(data.get("sample", ""))
    asked = data.get("person", "").strip()
    who = person(tenant.id, asked) if sees_people and asked and "\x00" not in asked else None
    source = Source(form.channel, str(form["locale"].value() or "").strip(), form.content)
    trial = try_source(tenant=tenant, source=source, kind=kind_of(tenant, template, data), sample=sample, person=who)
    asked_look = data.get("look", "")
    look = Look(asked_look) if asked_look in set(Look) else Look.LIGHT
    shown = _shown(trial.rendered, form.channel)
    context = {
        **shown,
        "template": template,
        "tenant": tenant,
        "variant": form,
        "channel": form.channel.value,
        "look": look.value,
        "is_rtl": bool(data.get("rtl")),
        "findings": trial.findings[:REMARKS_SHOWN],
        "more": max(0, len(trial.findings) - REMARKS_SHOWN),
        "prefix": form.prefix,
        "person": who,
        "locale": source.locale,
        "gets": _gets(tenant, variants, form, who),
        "is_unknown": bool(asked) and who is None,
        "wrong_sample": wrong,
        "variables": _variables(trial, tenant, sample, who),
        "fallbacks": _fallbacks(tenant, variants, form) if not (template.is_layout or template.is_partial) else [],
        "says_nothing_of_dark": look is Look.DARK and bool(shown["html"]) and not knows_dark(shown["html"]),
    }
    is_mail = form.channel is Channel.EMAIL and look is not Look.TEXT
    return {
        "head": render_to_string("admin/templates/live_head.html", context),
        "rest": render_to_string("admin/templates/live_rest.html", context),
        "mail": dressed(shown["html"], look, is_rtl=bool(data.get("rtl"))) if is_mail else "",
        "marks": to_builtins([finding for finding in trial.findings[:REMARKS_SHOWN] if finding.line]),
        "names": completions(tenant, sample)["names"],
    }


def _sample(text: str) -> tuple[dict[str, Any], str]:
    """Empty while it cannot be read, and why."""
    try:
        found = json.loads(text or "{}")
    except (json.JSONDecodeError, RecursionError) as error:
        place = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
        return {}, f"The sample data cannot be read: {place}{error}"
    if not isinstance(found, dict) or any(
        not isinstance(found.get(name) or {}, dict) for name in found if name[:1] == "$"
    ):
        return {}, 'The sample data must name each value: {"order_id": "A-1029"}.'
    return found, ""


def _shown(rendered: Rendered | None, channel: Channel) -> dict[str, Any]:
    content = rendered.content if rendered else {}
    return {
        "rendered": rendered,
        "subject": content.get("subject") or content.get("title", ""),
        "preheader": content.get("preheader", ""),
        "body": content.get("body", ""),
        "text": content.get("text", ""),
        "html": content.get("html", ""),
        "link": content.get("action_url", ""),
        "image": content.get("image_url", ""),
        "sms": sms.count(content.get("body", "")) if channel is Channel.SMS and rendered else None,
    }


def _variables(
    trial: Trial, tenant: Tenant, sample: dict[str, Any], who: Recipient | None
) -> list[tuple[str, str, bool, bool | None]]:
    """Name, fields, whether the sample has it, whether the recipient does (None: nobody is chosen, or it is not about them)."""
    by_sample = context_for(tenant, sample, "") if who else trial.context
    return [
        (
            one.name,
            ", ".join(one.fields),
            has(by_sample, one.path),
            has(trial.context, one.path) if who and one.path[0] in ("recipient", "user") else None,
        )
        for one in trial.variables
    ]


def _gets(tenant: Tenant, variants: list[VariantForm], form: VariantForm, who: Recipient | None) -> str | None:
    """The locale of the variant that this person would get; None: nobody is chosen, or they get nothing."""
    known = {str(one["locale"].value() or "").strip() for one in variants if one.channel is form.channel}
    chain = locale_chain(who.locale, tenant.locale) if who else ()
    return next((locale for locale in chain if locale in known), None)


def _fallbacks(tenant: Tenant, variants: list[VariantForm], form: VariantForm) -> list[Fallback]:
    """Of the channel that is looked at."""
    locales = [str(one["locale"].value() or "").strip() for one in variants if one.channel is form.channel]
    return fallbacks(locales, people_by_locale(tenant.id), tenant.locale)[:FALLBACKS_SHOWN]
