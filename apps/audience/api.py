"""/v1/users: people and their endpoints."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audience.bodies import DeviceRegistrationBody, EndpointBody, UserBody, checked_user_id
from apps.audience.profiles import EndpointAnswer, EndpointPage, UserAnswer, endpoint_answers, endpoint_page, user
from apps.audience.selectors import recipient_ids
from apps.audience.services import delete_endpoint, forget_recipient, register_endpoint, upsert_user
from apps.core import ids
from apps.core.bodies import decode
from apps.core.enums import Channel, Scope
from apps.core.openapi import PAGE_PARAMETERS
from apps.core.pagination import page_request
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Address
from apps.tenants import auditing
from apps.tenants.authentication import caller_of

USER_ID = OpenApiParameter(
    "user_id",
    {"type": "string", "minLength": 1, "maxLength": 128, "examples": ["u_42"]},
    OpenApiParameter.PATH,
    description="Your own id of the person.",
)
ENDPOINT_ID = OpenApiParameter(
    "endpoint_id",
    {"type": "string", "examples": ["ep_06akp3c9tr7y5kq8h2m1v4w6xd"]},
    OpenApiParameter.PATH,
)


_REGISTRATION: dict[str, Any] = {
    "description": (
        "An app calls this at every start, whatever the method: the same token or subscription again answers 200 with the same id,"
        " moves `last_seen_at`, and brings a retired device back into use. It belongs to the person who registered it last."
    ),
    "tags": ["Users"],
    "parameters": [USER_ID],
    "request": DeviceRegistrationBody,
    "responses": {200: EndpointAnswer, 201: EndpointAnswer},
    "examples": [
        OpenApiExample("app", value={"token": "fcm-registration-token-0001", "platform": "android"}, request_only=True),
    ],
}


class UserView(APIView):
    scopes = dict.fromkeys(("GET", "PUT", "DELETE"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="get_user",
        summary="Read a person",
        tags=["Users"],
        parameters=[USER_ID],
        responses={200: UserAnswer},
    )
    def get(self, request: Request, user_id: str) -> Response:
        return Response(_user(caller_of(request).tenant.id, user_id))

    @extend_schema(
        operation_id="put_user",
        summary="Create or change a person",
        description=(
            "Fields left out keep what is stored, `null` clears `locale` and `timezone`, `attributes` are replaced as a whole. "
            "`email` and `phone` are added to the person's endpoints; nothing is removed. "
            "Who blocks or unblocks them stands in the audit log."
        ),
        tags=["Users"],
        parameters=[USER_ID],
        request=UserBody,
        responses={200: UserAnswer, 201: UserAnswer},
        examples=[
            OpenApiExample(
                "a person",
                value={
                    "locale": "de-CH",
                    "timezone": "Europe/Zurich",
                    "attributes": {"first_name": "Zoe"},
                    "email": "zoe@example.com",
                },
                request_only=True,
            )
        ],
    )
    def put(self, request: Request, user_id: str) -> Response:
        body = decode(request, UserBody)
        given = body.checked(checked_user_id(user_id, "#path/user_id"))
        caller = caller_of(request)
        is_new = upsert_user(tenant=caller.tenant, user=given, by=auditing.key(caller))
        return Response(_user(caller.tenant.id, user_id), status=201 if is_new else 200)

    @extend_schema(
        operation_id="forget_user",
        summary="Forget a person",
        description="Erases profile, endpoints, preferences and feed, and what past notifications said. What is open is cancelled.",
        tags=["Users"],
        parameters=[USER_ID],
        responses={204: None},
    )
    def delete(self, request: Request, user_id: str) -> Response:
        caller = caller_of(request)
        if not forget_recipient(tenant=caller.tenant, user_id=user_id, by=auditing.key(caller)):
            raise Problem(Code.NOT_FOUND, f"There is no user `{user_id}`.")
        return Response(status=204)


class EndpointsView(APIView):
    scopes = dict.fromkeys(("GET", "POST"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="list_endpoints",
        summary="List a person's endpoints",
        description="Newest first. Addresses are masked.",
        tags=["Users"],
        parameters=[USER_ID, *PAGE_PARAMETERS],
        responses={200: EndpointPage},
    )
    def get(self, request: Request, user_id: str) -> Response:
        tenant_id = caller_of(request).tenant.id
        return Response(endpoint_page(tenant_id, _recipient_id(tenant_id, user_id), page_request(request)))

    @extend_schema(
        operation_id="register_endpoint",
        summary="Register an endpoint",
        description=(
            "The same address again answers 200 with the same id, and brings a retired endpoint back into use. "
            "A device or browser belongs to the person who registered it last. In-app messages need no endpoint."
        ),
        tags=["Users"],
        parameters=[USER_ID],
        request=EndpointBody,
        responses={200: EndpointAnswer, 201: EndpointAnswer},
        examples=[
            OpenApiExample("email", value={"kind": "email", "address": "zoe@example.com"}, request_only=True),
            OpenApiExample("phone", value={"kind": "phone", "address": "+4930123456"}, request_only=True),
            OpenApiExample(
                "device",
                value={"kind": "device", "address": "fcm-registration-token-0001", "platform": "android"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, user_id: str) -> Response:
        return _registered(request, user_id, decode(request, EndpointBody).checked())


class EndpointView(APIView):
    scopes = {"DELETE": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="delete_endpoint",
        summary="Remove an endpoint",
        tags=["Users"],
        parameters=[USER_ID, ENDPOINT_ID],
        responses={204: None},
    )
    def delete(self, request: Request, user_id: str, endpoint_id: str) -> Response:
        return _deleted(request, user_id, endpoint_id)


class DevicesView(APIView):
    scopes = dict.fromkeys(("GET", "POST", "PUT"), Scope.USERS_WRITE)

    @extend_schema(
        operation_id="list_devices",
        summary="List a person's devices",
        description="Apps and browsers that get push messages, newest first. A push goes to each that is not retired.",
        tags=["Users"],
        parameters=[USER_ID, *PAGE_PARAMETERS],
        responses={200: EndpointPage},
    )
    def get(self, request: Request, user_id: str) -> Response:
        tenant_id = caller_of(request).tenant.id
        page = page_request(request)
        return Response(endpoint_page(tenant_id, _recipient_id(tenant_id, user_id), page, channel=Channel.PUSH))

    @extend_schema(operation_id="register_device", summary="Register a device", **_REGISTRATION)
    def post(self, request: Request, user_id: str) -> Response:
        return _registered(request, user_id, decode(request, DeviceRegistrationBody).checked())

    @extend_schema(operation_id="put_device", summary="Register a device again", **_REGISTRATION)
    def put(self, request: Request, user_id: str) -> Response:
        return _registered(request, user_id, decode(request, DeviceRegistrationBody).checked())


class DeviceView(APIView):
    scopes = {"DELETE": Scope.USERS_WRITE}

    @extend_schema(
        operation_id="delete_device",
        summary="Remove a device",
        description="At log-out: its owner gets no more push messages there.",
        tags=["Users"],
        parameters=[USER_ID, ENDPOINT_ID],
        responses={204: None},
    )
    def delete(self, request: Request, user_id: str, endpoint_id: str) -> Response:
        return _deleted(request, user_id, endpoint_id, channel=Channel.PUSH)


def _registered(request: Request, user_id: str, address: Address) -> Response:
    tenant = caller_of(request).tenant
    made = register_endpoint(tenant=tenant, recipient_id=_recipient_id(tenant.id, user_id), address=address)
    answer = endpoint_answers(tenant.id, [made.endpoint_id])[made.endpoint_id]
    return Response(answer, status=201 if made.is_new else 200)


def _deleted(request: Request, user_id: str, endpoint_id: str, *, channel: Channel | None = None) -> Response:
    tenant = caller_of(request).tenant
    recipient_id = _recipient_id(tenant.id, user_id)
    found = ids.read(ids.ENDPOINT, endpoint_id)
    if found is None or not delete_endpoint(
        tenant=tenant, recipient_id=recipient_id, endpoint_id=found, channel=channel
    ):
        raise Problem(Code.NOT_FOUND, f"This person has no endpoint `{endpoint_id}`.")
    return Response(status=204)


def _user(tenant_id: UUID, user_id: str) -> UserAnswer:
    found = user(tenant_id, user_id)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"There is no user `{user_id}`.")
    return found


def _recipient_id(tenant_id: UUID, user_id: str) -> UUID:
    found = recipient_ids(tenant_id, [user_id])
    if user_id not in found:
        raise Problem(Code.NOT_FOUND, f"There is no user `{user_id}`.")
    return found[user_id]
