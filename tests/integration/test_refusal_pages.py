"""What a browser is shown where there is no page of ours: what happened, that nothing changed, and what to do."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views import defaults

from apps.core import problems
from apps.tenants.roles import make_roles
from tests.integration import admin_cast, roles_cast

pytestmark = pytest.mark.django_db


def said(answer: HttpResponse) -> tuple[int, str]:
    page = re.sub(r"<title>.*?</title>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return answer.status_code, re.sub(r"\s+", " ", unescape(page)).strip()


def test_staff_without_the_role() -> None:
    make_roles()
    mira = roles_cast.staff("mira", marketer=(admin_cast.acme(),))
    assert said(mira.get(reverse("admin:schedules_schedule_changelist"))) == (
        403,
        "This is not for you to do Nothing has been changed. Your roles do not include it, or not in this tenant."
        " Who manages the tenant can give you a role that does. To the start",
    )


def test_a_reason_that_was_given_is_shown() -> None:
    answer = defaults.permission_denied(
        RequestFactory().get("/admin/"), PermissionDenied("This is done <by> a button.")
    )
    assert said(answer)[1].startswith("This is not for you to do This is done <by> a button. Who manages")


def test_a_form_without_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="otto", is_staff=True))
    assert said(client.post(reverse("admin:logout"))) == (
        403,
        "This page was open for too long Nothing has been changed. Somebody signed in or out meanwhile, or the browser keeps no cookies."
        " Go back, load the page again, and repeat what you did.",
    )


def test_no_page() -> None:
    words = "There is nothing here It was never here, or it is gone. Staff see only what belongs to their tenants. Check the address."
    assert said(Client().get("/nowhere")) == (404, words)


def test_a_fault_of_ours() -> None:
    assert said(problems.server_error(RequestFactory().get("/admin/"))) == (
        500,
        "Something went wrong The fault is ours, and it is in the log. What was saved before is still there."
        " Try again; if it stays so, tell whoever runs this service, with the time and the address of this page.",
    )
