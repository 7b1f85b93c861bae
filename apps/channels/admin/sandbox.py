"""/admin/sandbox/: what test keys sent, as it would look where it arrives. The page asks for news every two seconds."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.channels.admin.received import Received, received
from apps.channels.sandbox.behaviour import BEHAVIOURS, DOMAIN, TOKEN_PREFIX
from apps.core.enums import Channel
from apps.core.tenant_scope import looking, view_of


def sandbox(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    context = {
        **admin.site.each_context(request),
        "title": "Sandbox",
        "received": _received(request),
        "channels": [channel.value for channel in Channel],
        "chosen": request.GET.get("channel", ""),
        "address": request.GET.get("address", ""),
        "magic": [
            (f"{behaviour.word}@{DOMAIN}", behaviour.phone, f"{TOKEN_PREFIX}{behaviour.word}", behaviour.sentence)
            for behaviour in BEHAVIOURS
        ],
    }
    return TemplateResponse(request, "admin/channels/sandbox.html", context)


def messages(request: HttpRequest) -> HttpResponse:
    """The cards alone."""
    return TemplateResponse(request, "admin/channels/sandbox_messages.html", {"received": _received(request)})


def _received(request: HttpRequest) -> Received:
    """Raises PermissionDenied: it shows addresses and messages as they are."""
    if not request.user.has_perm("tenants.see_unmasked"):
        raise PermissionDenied
    channel = request.GET.get("channel", "")
    address = request.GET.get("address", "").strip()
    with looking(view_of(request.user, "tenants.see_unmasked")):
        return received(channel=channel if channel in set(Channel) else "", address=address.replace("\x00", ""))
