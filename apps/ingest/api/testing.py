"""POST /v1/templates/{key}/test: a test send."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.bodies import decode
from apps.core.enums import Scope
from apps.core.problems import ProblemBody
from apps.ingest.answers import TestSendAnswer, TestSendItem
from apps.ingest.api.sending import timeline_url
from apps.ingest.bodies import TestSendBody
from apps.ingest.test_sends import send_test
from apps.tenants.authentication import caller_of
from apps.tenants.throttles import charge

KEY = OpenApiParameter(
    "key",
    {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_.-]{0,99}$", "examples": ["order_shipped_v3"]},
    OpenApiParameter.PATH,
)


class TestSendView(APIView):
    scopes = {"POST": Scope.ADMIN}
    throttle_cost = "deferred"

    @extend_schema(
        operation_id="send_template_test",
        summary="Send a template to oneself or to a seed list",
        description="A notification for each person and channel, marked [TEST], left out of statistics. With a test key it stays in the "
        "sandbox. It goes the way of all messages: what its reader switched off is withheld, and its timeline says so.",
        tags=["Templates"],
        parameters=[KEY],
        request=TestSendBody,
        responses={202: TestSendAnswer, 404: ProblemBody, 422: ProblemBody},
        examples=[
            OpenApiExample(
                "German SMS to a phone",
                value={"addresses": ["+4915112345678"], "channels": ["sms"], "locale": "de"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, key: str) -> Response:
        body = decode(request, TestSendBody)
        caller = caller_of(request)
        charge(request, len(body.user_ids) + len(body.addresses) or 1)
        sent = send_test(
            caller=caller,
            key=key,
            user_ids=body.user_ids,
            addresses=body.addresses,
            seed_list=body.seed_list,
            channels=body.channels,
            locale=body.locale,
            version=body.version,
            data=body.data,
            request_id=request.META["notifier.request_id"],
        )
        return Response(
            TestSendAnswer(
                notifications=[
                    TestSendItem(
                        user_id=one.user_id,
                        channel=one.channel,
                        notification_id=one.id,
                        timeline_url=timeline_url(request, one.id),
                    )
                    for one in sent
                ]
            ),
            status=202,
        )
