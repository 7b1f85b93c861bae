"""Which rules hold on which channel."""

from collections.abc import Iterator, Mapping

from apps.core.enums import Category, Channel
from apps.templates.linting.findings import Finding, weight
from apps.templates.linting.mails import mail_findings
from apps.templates.linting.texts import in_app_findings, push_findings, sms_findings

MOST = 200


def lint(
    content: Mapping[str, str],
    channel: Channel,
    category: Category | None = None,
    *,
    locale: str = "",
    rendered: Mapping[str, str] | None = None,
    layout: Mapping[str, str] | None = None,
) -> list[Finding]:
    """The worst first, at most MOST. `content`: what the author wrote, by field. `rendered`: what a reader would get, for lengths
    and sizes; without it variables count as nothing. `layout`: what is written around a mail. `category`: of what is sent with
    it; None leaves out what only marketing must have."""
    found = _found(content, channel, category, locale=locale, rendered=rendered, layout=layout)
    return sorted(found, key=weight)[:MOST]


def _found(
    content: Mapping[str, str],
    channel: Channel,
    category: Category | None,
    *,
    locale: str,
    rendered: Mapping[str, str] | None,
    layout: Mapping[str, str] | None,
) -> Iterator[Finding]:
    match channel:
        case Channel.EMAIL:
            yield from mail_findings(content, category, locale=locale, rendered=rendered, layout=layout)
        case Channel.SMS:
            yield from sms_findings(content, category, rendered)
        case Channel.PUSH:
            yield from push_findings(content, rendered)
        case Channel.IN_APP:
            yield from in_app_findings(content, rendered)
