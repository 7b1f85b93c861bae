"""Which web pages may call the inbox from a browser: the origins of settings.INBOX_ORIGINS, and no others.

The token is sent by the page and is not a cookie, so `Access-Control-Allow-Credentials` is never given.
Fetch Standard, section 3.2 (CORS protocol).
"""

from django.conf import settings


def cors_headers(origin: str) -> dict[str, str]:
    """For every answer of the inbox. `origin`: the request's Origin header, or empty."""
    if not settings.INBOX_ORIGINS:
        return {}
    allowed = {"Access-Control-Allow-Origin": origin} if origin in settings.INBOX_ORIGINS else {}
    return {"Vary": "Origin"} | allowed


def preflight_headers(origin: str) -> dict[str, str]:
    """For the OPTIONS request that a browser sends ahead."""
    headers = cors_headers(origin)
    if "Access-Control-Allow-Origin" in headers:
        headers |= {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-Id",
            "Access-Control-Max-Age": "600",
        }
    return headers
