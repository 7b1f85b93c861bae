"""/v1/suppressions: the addresses that must not be used."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.addresses import address_hashes, device_token, email_address, phone_number
from apps.core.bodies import decode
from apps.core.enums import Channel, Platform, Scope, SuppressionReason
from apps.core.pagination import next_cursor, page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem, ProblemBody
from apps.core.types import Address, Caller, NewSuppression
from apps.preferences import selectors, services
from apps.preferences.serializers import LiftBody, SuppressionAnswer, SuppressionBody, SuppressionPage
from apps.tenants.auditing import Row, note, row_of

SOURCE = "api"
_KIND = "preferences.suppression"


class Suppressions(APIView):
    scopes = {"GET": Scope.ADMIN, "POST": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(
        operation_id="list_suppressions",
        summary="List suppressed addresses",
        parameters=[
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="`next_cursor` of the previous page."),
        ],
        responses={200: SuppressionPage},
        tags=["Suppressions"],
    )
    def get(self, request: Request) -> Response:
        page = page_request(request)
        rows = selectors.suppressions(tenant_id=_tenant_id(request), before=page.before, limit=page.limit + 1)
        shown, has_more = rows[: page.limit], len(rows) > page.limit
        return Response(
            SuppressionPage(
                data=[_suppression(row) for row in shown],
                has_more=has_more,
                next_cursor=next_cursor(shown[-1].id) if has_more else None,
            )
        )

    @extend_schema(
        operation_id="suppress_address",
        summary="Suppress an address",
        description="Nothing is sent to it on this channel any more, whoever has it. An address that is suppressed already keeps"
        " its first reason and date, and the answer is 200.",
        request=SuppressionBody,
        responses={201: SuppressionAnswer, 200: SuppressionAnswer},
        tags=["Suppressions"],
    )
    def post(self, request: Request) -> Response:
        body = decode(request, SuppressionBody)
        tenant_id, address = _tenant_id(request), _address(body)
        hashes = address_hashes(tenant_id, address.channel, address.hashed)
        before = selectors.suppression(tenant_id=tenant_id, channel=address.channel, hashes=hashes)
        if before is None:
            reason = SuppressionReason.MANUAL
            new = NewSuppression(tenant_id, address.channel, hashes[0], address.masked, reason, SOURCE)
            with transaction.atomic():
                if services.suppress([new]):
                    note(request, _KIND, {}, _row(tenant_id, address.channel, hashes))
        after = before or selectors.suppression(tenant_id=tenant_id, channel=address.channel, hashes=hashes)
        if after is None:
            raise Problem(Code.CONFLICT, "It was suppressed, and lifted again at the same moment.")
        return Response(_suppression(after), status=200 if before else 201)

    @extend_schema(
        operation_id="lift_suppression",
        summary="Lift a suppression",
        description='The body names it, so that no address is in a URL: `{"channel": "email", "address": "bea@example.com"}`.',
        request=LiftBody,
        responses={204: None, 404: ProblemBody},
        tags=["Suppressions"],
    )
    def delete(self, request: Request) -> Response:
        body = decode(request, LiftBody)
        tenant_id, address = _tenant_id(request), _address(body)
        hashes = address_hashes(tenant_id, address.channel, address.hashed)
        with transaction.atomic():
            before = _row(tenant_id, address.channel, hashes)
            if not services.lift_suppression(tenant_id=tenant_id, channel=address.channel, hashes=hashes):
                raise Problem(Code.NOT_FOUND, "This address is not suppressed on this channel.")
            note(request, _KIND, before, {})
        return Response(status=204)


def _tenant_id(request: Request) -> UUID:
    return cast(Caller, request.auth).tenant.id


def _row(tenant_id: UUID, channel: Channel, hashes: Sequence[bytes]) -> Row:
    """For the log, which keeps the mask of the address."""
    return row_of(_KIND, tenant_id, {"channel": channel.value, "address_hash__in": hashes})


def _address(body: SuppressionBody | LiftBody) -> Address:
    """In the form in which endpoints are hashed. Raises Problem: invalid_email, invalid_phone, invalid_endpoint."""
    match Channel(body.channel):
        case Channel.EMAIL:
            return email_address(body.address, "/address")
        case Channel.SMS:
            return phone_number(body.address, "/address")
        case _:
            # the platform is not part of the hash, and a web-push subscription is hashed by its URL
            return device_token(body.address, Platform.ANDROID, "/address")


def _suppression(row: selectors.SuppressionRow) -> SuppressionAnswer:
    return SuppressionAnswer(
        channel=row.channel,
        address=row.masked,
        reason=SuppressionReason(row.reason),
        source=row.source,
        created_at=row.created_at,
    )
