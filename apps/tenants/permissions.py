"""What a caller may do: every view says which scope each of its methods needs."""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core.enums import Scope
from apps.core.problem_codes import Code
from apps.core.problems import Problem
from apps.core.types import Caller

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HasScope(BasePermission):
    """Reads the view's `scopes: dict[method, Scope]`. A method that the view handles without naming its scope is refused
    (and reported by the system check tenants.E001). `admin` includes every scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = request.user
        if not isinstance(caller, Caller):
            return False
        method = "GET" if request.method == "HEAD" else request.method or ""
        scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
        scope = scopes.get(method)
        if scope is None:
            return method not in METHODS or not hasattr(view, method.lower())
        if not caller.may(scope):
            raise Problem(Code.FORBIDDEN, f"This needs a key with the scope `{scope}`.")
        return True
