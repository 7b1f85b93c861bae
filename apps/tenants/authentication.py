"""`Authorization: Bearer ntf_...` -> Caller. Missing, malformed, wrong, expired and revoked keys get the same answer."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller
from apps.tenants.selectors import caller_by_token

CHALLENGE = 'Bearer realm="notifier"'


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` and `request.auth` are the Caller. Raises Problem: unauthenticated."""

    def authenticate(self, request: Request) -> tuple[Caller, Caller]:
        kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        caller = caller_by_token(token.strip()) if kind.lower() == "bearer" else None
        if caller is None:
            raise Problem(Code.UNAUTHENTICATED, headers={"WWW-Authenticate": CHALLENGE})
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def caller_of(request: Request) -> Caller:
    """Who calls, for views behind ApiKeyAuthentication and HasScope."""
    caller = request.user
    assert isinstance(caller, Caller)
    return caller


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names it."""

    target_class = ApiKeyAuthentication
    name: Literal["ApiKey"] = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ntf_<mode>_<prefix>_<secret>",
            "description": "An API key. Its mode (test, team, live) decides whom it can reach; its scopes, what it may do.",
        }
