"""/v1/campaigns/{id}/stats, runs, check, cost; /v1/costs."""

from datetime import UTC, datetime, timedelta

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.campaigns import approving, checking, costing, covering, forecasting, reading, winning
from apps.campaigns.api.finding import ID, TAGS, found, id_of
from apps.campaigns.budgeting import policy_of
from apps.campaigns.models import Run, Variant
from apps.campaigns.report_answers import CampaignCheck, CampaignStats, CostAnswer
from apps.campaigns.serializers import CampaignRunAnswer, CampaignRunPage
from apps.core import clock, ids
from apps.core.enums import Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.tenants.authentication import caller_of

MOST_DAYS = 31
_MOMENT = {"type": "string", "format": "date-time"}
FROM = OpenApiParameter("from", _MOMENT, description="Of messages sent at that time or later. Default: 24 hours ago.")
TO = OpenApiParameter("to", _MOMENT, description=f"Before that time, at most {MOST_DAYS} days later. Default: now.")
NOTIFICATION = OpenApiParameter(
    "notification_id",
    {"type": "string", "examples": ["nt_06czvrg000jr4dx5k0mb8w1a2c"]},
    description="Of one message alone.",
)


class CampaignStatsView(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="get_campaign_stats",
        summary="Read what became of a campaign",
        description="Of its newest run, as last counted: every few seconds while it is sent.",
        tags=TAGS,
        parameters=[ID],
        responses={200: CampaignStats, 404: ProblemBody},
    )
    def get(self, request: Request, campaign_id: str) -> Response:
        row, tenant_id = found(request, campaign_id), caller_of(request).tenant.id
        runs = reading.runs(tenant_id, row.id, limit=1)
        counts = reading.tallied(tenant_id, runs[0].row["id"]) if runs else []
        verdict, metric = winning.verdict(_numbered(row), counts), winning.metric_of(row.values)
        return Response(CampaignStats.of(runs[0] if runs else None, counts, metric.value, verdict))


class CampaignRuns(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="list_campaign_runs",
        summary="List the runs of a campaign",
        description="Newest first; a recurring campaign has one for each of its times.",
        tags=TAGS,
        parameters=[ID, *PAGE_PARAMETERS],
        responses={200: CampaignRunPage, 404: ProblemBody},
    )
    def get(self, request: Request, campaign_id: str) -> Response:
        page, row = page_request(request), found(request, campaign_id)
        rows = reading.runs(caller_of(request).tenant.id, row.id, before=page.before, limit=page.limit + 1)
        has_more, rows = len(rows) > page.limit, rows[: page.limit]
        cursor = next_cursor(rows[-1].row["id"]) if has_more else None
        data = [CampaignRunAnswer.of(one) for one in rows]
        return Response(CampaignRunPage(data=data, has_more=has_more, next_cursor=cursor))


class CampaignCheckView(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="check_campaign",
        summary="Check a campaign before its launch",
        description="Whom it is for now, what it costs, how long it takes, whether somebody has to approve it, and what is lacking. Counts"
        " the audience: a few seconds for a million people.",
        tags=TAGS,
        parameters=[ID],
        responses={200: CampaignCheck, 400: ProblemBody, 404: ProblemBody},
    )
    def get(self, request: Request, campaign_id: str) -> Response:
        tenant, now = caller_of(request).tenant, clock.now()
        seen = approving.considered(tenant, id_of(campaign_id), now)
        variants = Variant.objects.of(tenant).filter(campaign_id=seen.row.id).order_by("position")
        finish = forecasting.finish(tenant, seen.row, seen.estimate, now)
        findings = [
            *checking.findings(tenant, seen.row, variants, now),
            *checking.counted_findings(seen.row, seen.estimate, seen.policy, now, finish),
        ]
        needs = covering.needs(seen.policy, **seen.size)
        return Response(CampaignCheck.of(seen, needs, finish.sentence if finish else "", findings))


class CampaignCost(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="get_campaign_cost",
        summary="Read what a campaign cost",
        description="All its runs so far: the parts that providers took, times the price table.",
        tags=TAGS,
        parameters=[ID],
        responses={200: CostAnswer, 404: ProblemBody},
    )
    def get(self, request: Request, campaign_id: str) -> Response:
        row, tenant_id = found(request, campaign_id), caller_of(request).tenant.id
        currency = policy_of(tenant_id).currency
        runs = Run.objects.of(tenant_id).filter(campaign_id=row.id).order_by("-id")[:100]
        return Response(
            CostAnswer.of(costing.together([costing.actual(run, currency=currency) for run in runs], currency))
        )


class Costs(APIView):
    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @extend_schema(
        operation_id="get_costs",
        summary="Read what messages cost",
        description="Of everything that was sent, campaigns or not, by channel, account, place and campaign run; or of one message.",
        tags=TAGS,
        parameters=[FROM, TO, NOTIFICATION],
        responses={200: CostAnswer, 400: ProblemBody, 404: ProblemBody},
    )
    def get(self, request: Request) -> Response:
        tenant_id = caller_of(request).tenant.id
        currency = policy_of(tenant_id).currency
        if (shown := request.query_params.get("notification_id")) is not None:
            notification_id = ids.read(ids.NOTIFICATION, shown)
            if notification_id is None:
                raise Problem(Code.NOT_FOUND)
            one = costing.of_notification(tenant_id=tenant_id, notification_id=notification_id, currency=currency)
            return Response(CostAnswer.of(one))
        last = _moment(request, "to") or clock.now()
        first = _moment(request, "from") or last - timedelta(days=1)
        if not timedelta(0) < last - first <= timedelta(days=MOST_DAYS):
            raise Problem(Code.OUT_OF_RANGE, f"`to` is after `from`, at most {MOST_DAYS} days.", pointer="#query/to")
        cost = costing.spent_between(tenant_id=tenant_id, first=first, last=last, currency=currency)
        return Response(CostAnswer.of(cost))


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2200:
        raise Problem(
            Code.OUT_OF_RANGE,
            f"`{name}` is a time with its offset, like 2027-03-01T09:00:00Z.",
            pointer=f"#query/{name}",
        )
    return found.astimezone(UTC)


def _numbered(row: reading.CampaignFacts) -> dict[str, object]:
    variants = [{**variant, "position": place} for place, variant in enumerate(row.values["variants"])]
    return {**row.values, "variants": variants}
