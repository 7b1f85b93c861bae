"""Error bodies as Google's APIs give them: google.rpc.Status in JSON.

Shapes from firebase-admin-python issue 187 (BadRequest beside FcmError) and firebase-admin-java issue 1064.
"""

import msgspec

_CODES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


def google_error(status: str, said: str = "", *, fields: list[str] | None = None) -> bytes:
    return _error(status, said, [], fields or [])


def fcm_error(status: str, code: str, said: str = "", *, fields: list[str] | None = None) -> bytes:
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]
    return _error(status, said, details, fields or [])


def quota_error(said: str) -> bytes:
    details: list[dict[str, object]] = [
        {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "QUOTA_EXCEEDED"},
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"subject": "", "description": said}]},
    ]
    return _error("RESOURCE_EXHAUSTED", said, details, [])


def _error(status: str, said: str, details: list[dict[str, object]], fields: list[str]) -> bytes:
    if fields:
        violations = [{"field": field, "description": "Invalid value: rosa"} for field in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    error: dict[str, object] = {"code": _CODES[status], "message": said, "status": status}
    return msgspec.json.encode({"error": error | ({"details": details} if details else {})})
