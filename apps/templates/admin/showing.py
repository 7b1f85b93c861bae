"""A preview as a page shows it: one variant rendered with the sample, and what keeps it from being rendered."""

from typing import Any

from django.http import QueryDict

from apps.core.admin_mail import framed
from apps.core.enums import Channel
from apps.core.problems import Problem
from apps.core.types import Rendered, Tenant
from apps.templates import models, selectors, sms
from apps.templates.previewing import preview


def shown(tenant: Tenant, template: models.Template, asked: QueryDict) -> dict[str, Any]:
    """`channel`, `locale` and `version` as in the address; without a version it is the draft, or else what is current."""
    wanted = str(asked.get("channel", ""))
    channel = Channel(wanted) if wanted in set(Channel) else Channel.EMAIL
    version = _version(tenant, template, asked.get("version", ""))
    context: dict[str, Any] = {"channel": channel, "locale": asked.get("locale", ""), "version": version}
    row = selectors.template_by_key(tenant, template.key)
    if version is None or row is None:
        return context | {"problems": ["There is nothing to preview yet: save a draft first."]}
    try:
        rendered = preview(
            tenant=tenant, template=row, version=version, channel=channel, locale=asked.get("locale", "")
        )
    except Problem as problem:
        places = [(error.detail, error.line, error.column) for error in problem.errors] or [
            (problem.detail, None, None)
        ]
        return context | {
            "problems": [f"{said}{f' (line {line}, column {column})' if line else ''}" for said, line, column in places]
        }
    return context | _card(rendered, channel)


def _version(tenant: Tenant, template: models.Template, number: str) -> selectors.VersionRow | None:
    if number.isascii() and number.isdigit() and len(number) < 9:
        return selectors.version_by_number(tenant, template.id, int(number))
    current = template.current
    draft = selectors.draft(tenant, template.id)
    return draft or (selectors.version_by_number(tenant, template.id, current.number) if current else None)


def _card(rendered: Rendered, channel: Channel) -> dict[str, Any]:
    content = rendered.content
    counted = sms.count(content["body"]) if channel is Channel.SMS else None
    return {
        "rendered": rendered,
        "subject": content.get("subject") or content.get("title", ""),
        "preheader": content.get("preheader", ""),
        "body": content.get("body") or content.get("text", ""),
        "html": framed(content.get("html", "")),
        "link": content.get("action_url", ""),
        "sms": counted,
    }
