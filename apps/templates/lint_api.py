"""/v1/templates/{key}/lint: what a careful colleague would remark."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Channel, Scope
from apps.core.locales import canonical_locale
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Tenant
from apps.templates import lint_bodies as bodies
from apps.templates import selectors
from apps.templates.api import KEY, TAGS, known
from apps.templates.drafting import shown_version
from apps.templates.linting import Finding, Severity
from apps.templates.proving import Source
from apps.templates.reviewing import refuse_unknown, refuse_unreadable, review
from apps.templates.selectors import TemplateRow, VersionRow
from apps.tenants.authentication import caller_of


class LintView(APIView):
    scopes = {"POST": Scope.NOTIFICATIONS_READ}

    @extend_schema(
        operation_id="lint_template",
        summary="Lint a template",
        description="Liquid errors with line and column, SMS parts and the character that costs one, links, alt texts, contrast, the "
        "link to unsubscribe, lengths and payload limits. The worst first. Nothing is stored.",
        tags=TAGS,
        parameters=[KEY],
        request=bodies.LintBody,
        responses={200: bodies.LintAnswer, 404: ProblemBody},
        examples=[
            OpenApiExample("as it is saved", value={}, request_only=True),
            OpenApiExample(
                "what is being typed",
                value={"channel": "sms", "content": {"body": "Your order isn\u2019t here"}},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, bodies.LintBody)
        tenant = caller_of(request).tenant
        template = known(tenant, key)
        shown = shown_version(tenant, template.id)
        sample = body.data if body.data is not None else dict(shown.sample) if shown else {}
        refuse_unreadable(sample, "/data")
        found = review(
            tenant=tenant,
            template=template,
            sources=_sources(tenant, template, shown, body),
            layout=shown.layout if shown else "",
            sample=sample,
            category=body.category,
        )
        return Response(
            bodies.LintAnswer(
                is_ok=all(finding.severity is not Severity.ERROR for _, finding in found.remarks),
                is_cut=found.is_cut,
                findings=[_remark(source, finding) for source, finding in found.remarks],
            )
        )


def _sources(tenant: Tenant, template: TemplateRow, shown: VersionRow | None, body: bodies.LintBody) -> list[Source]:
    """Raises Problem: missing_field, invalid_locale, unknown_field, out_of_range, not_found."""
    locale = canonical_locale(body.locale) if body.locale else body.locale
    if body.locale and locale is None:
        raise Problem(Code.INVALID_LOCALE, f"`{body.locale}` is not a known locale.", pointer="/locale")
    if body.content is not None:
        if body.channel is None:
            raise Problem(Code.MISSING_FIELD, "Name the channel of the content.", pointer="/channel")
        source = Source(body.channel, locale or "", body.content)
        refuse_unknown(source, template)
        return [source]
    rows = selectors.variants(tenant, shown.id) if shown else []
    sources = [
        Source(Channel(row.channel), row.locale, row.source)
        for row in rows
        if (body.channel is None or row.channel == body.channel) and locale in (None, row.locale)
    ]
    if not sources:
        raise Problem(Code.NOT_FOUND, "There is no such content to lint.")
    return sources


def _remark(source: Source, finding: Finding) -> bodies.RemarkAnswer:
    return bodies.RemarkAnswer(
        channel=source.channel.value,
        locale=source.locale,
        field=finding.field,
        code=finding.code,
        severity=finding.severity.value,
        text=finding.text,
        line=finding.line,
        column=finding.column,
        found=finding.found,
        replacement=finding.replacement,
    )
