"""A member of Acme sees nothing of Beta: on any page, list, search, choice or button of the admin, whatever their permissions."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from apps.core import ids
from apps.tenants.models import Membership
from tests.integration import admin_cast as cast
from tests.integration import roles_cast as roles

pytestmark = pytest.mark.django_db

MARKER, OWN = "betamark", "acmemark"
LABELS = sorted(roles.pages())
# of one row by another name than object_id, and why that is safe
_OTHERS = {
    "admin/auth/user/<id>/password/": "users are of no tenant",
    "admin/r/<path:content_type_id>/<path:object_id>/": "no row has a page on the site",
}


@pytest.fixture
def both() -> tuple[roles.Planter, roles.Planter]:
    acme, beta = roles.Planter(cast.acme(), OWN), roles.Planter(cast.acme(MARKER), MARKER)
    for _, model in roles.pages().values():
        acme.row(model), beta.row(model)
    return acme, beta


@pytest.fixture
def vera(both: Any) -> Client:
    return roles.everything_in(both[0].tenant)


def said(answer: Any) -> str:
    return answer.content.decode() if not answer.streaming else b"".join(answer.streaming_content).decode()


def names(beta: roles.Planter) -> list[str]:
    """Whatever would give Beta away: its words and its ids, whole and as they are shown."""
    keys = [row.pk for row in beta.rows.values() if len(str(row.pk)) > 20]
    return [MARKER, MARKER.title(), *(str(key) for key in keys), *(ids.show("x", key)[-20:] for key in keys)]


def leaks(text: str, beta: roles.Planter, asked: str = "") -> list[str]:
    """Without what the address itself says: pages repeat it in their forms."""
    return [name for name in names(beta) if name in (text.replace(asked, "") if asked else text)]


def page(model: Any, what: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def test_every_list_shows_a_superuser_both_and_a_member_their_own(both: Any, vera: Client) -> None:
    acme, beta = both
    mira = cast.mira()
    for label, (_, model) in roles.pages().items():
        address = page(model, "changelist")
        address += "?state=all" if label == "ledger.deadletter" else ""
        everything = said(mira.get(address))
        assert leaks(everything, beta) or str(beta.row(model).pk)[-6:] in everything, label
        answer = vera.get(address)
        assert answer.status_code == 200, label
        shown = answer.context_data["cl"].result_list
        assert leaks(said(answer), beta) == [], label
        assert beta.row(model).pk not in [row.pk for row in shown], label
        assert acme.row(model).pk in [row.pk for row in shown], label


def test_searching_for_what_is_betas_finds_nothing(both: Any, vera: Client) -> None:
    _, beta = both
    for label, (model_admin, model) in roles.pages().items():
        if not model_admin.search_fields:
            continue
        for text in (str(beta.row(model).pk), f"{MARKER}-user-id"):
            answer = vera.get(page(model, "changelist"), {"q": text})
            assert answer.status_code == 200, (label, text)
            assert leaks(said(answer).replace(text, ""), beta) == [], (label, text)
            assert list(answer.context_data["cl"].result_list) == [], (label, text)


def test_every_page_of_a_row_of_betas_is_not_there_and_changes_nothing(both: Any, vera: Client) -> None:
    _, beta = both
    before, walked = roles.snapshot(beta), 0
    for route, _ in roles.addresses():
        parts = set(re.findall(r"<(?:\w+:)?(\w+)>", route))
        if route in _OTHERS or not parts or "(?P" in route:
            continue
        assert parts & {"object_id", "tenant_id"}, f"{route}: the gate knows object_id and tenant_id"
        app, model_name = route.split("/")[1:3]
        if f"{app}.{model_name}" not in roles.pages():
            continue
        row = beta.row(roles.pages()[f"{app}.{model_name}"][1])
        for part, value in (("object_id", row.pk), ("tenant_id", beta.tenant.id), ("number", 1), (r"\w+", "pause")):
            route = re.sub(rf"<(?:\w+:)?{part}>", str(value), route)
        address = f"/{route}"
        for answer in (vera.get(address), vera.post(address, {"post": "yes"})):
            assert answer.status_code == 404, address
            assert leaks(said(answer), beta, str(row.pk)) == [], address
        walked += 1
    assert walked > 4 * len(LABELS)
    assert roles.snapshot(beta) == before


def test_no_page_without_a_row_says_anything_of_beta(both: Any, vera: Client) -> None:
    _, beta = both
    for route, pattern in roles.addresses():
        if (
            "<" in route
            or "(" in route
            or (pattern.name or "login").endswith(("logout", "login", "_changelist", "_add"))
        ):
            continue
        answer = vera.get("/" + route)
        assert leaks(said(answer), beta) == [], route


@pytest.mark.filterwarnings("ignore::django.core.paginator.UnorderedObjectListWarning")
def test_no_choice_offers_what_is_betas(both: Any, vera: Client) -> None:
    """Asked for by name, as forms do while one types."""
    _, beta = both
    for label, (_, model) in roles.pages().items():
        for field in model._meta.concrete_fields:
            if field.remote_field:
                asked = {
                    "app_label": model._meta.app_label,
                    "model_name": model._meta.model_name,
                    "field_name": field.name,
                }
                answer = vera.get(reverse("admin:autocomplete"), asked | {"term": ""})
                assert leaks(said(answer), beta) == [], (label, field.name)


def test_no_button_of_a_list_reaches_a_row_of_betas(both: Any, vera: Client) -> None:
    _, beta = both
    before = roles.snapshot(beta)
    for label, (model_admin, model) in roles.pages().items():
        for action in dict.fromkeys(("delete_selected", *map(str, model_admin.actions or ()))):
            body = {"action": action, "_selected_action": [str(beta.row(model).pk)], "post": "yes"}
            answer = vera.post(page(model, "changelist"), body)
            assert leaks(said(answer), beta, str(beta.row(model).pk)) == [], (label, action)
            vera.post(page(model, "changelist"), body | {"select_across": "1"})
    assert roles.snapshot(beta) == before


def test_nothing_is_added_to_beta(both: Any, vera: Client) -> None:
    """Forms say nothing of Beta, and whatever else they want: it is no choice of theirs."""
    _, beta = both
    for label, (_, model) in roles.pages().items():
        answer = vera.get(page(model, "add"))
        assert answer.status_code in (200, 403), label
        assert leaks(said(answer), beta) == [], label
        form = answer.context_data.get("adminform") if answer.status_code == 200 else None
        if form is None or "tenant" not in form.form.fields:
            continue
        assert not form.form.fields["tenant"].queryset.filter(pk=beta.tenant.id).exists(), label
        refused = vera.post(page(model, "add"), {"tenant": str(beta.tenant.id)})
        assert refused.status_code == 200, label
        assert "tenant" in refused.context_data["adminform"].form.errors, label


def test_no_page_without_a_row_is_talked_into_beta(both: Any, vera: Client) -> None:
    """By naming it in the address, as filters and pages of a whole tenant do."""
    _, beta = both
    asked = dict.fromkeys(("tenant", "tenant_id"), str(beta.tenant.id))
    for route, pattern in roles.addresses():
        if "<" in route or "(" in route or (pattern.name or "login").endswith(("logout", "login", "_changelist")):
            continue
        assert leaks(said(vera.get("/" + route, asked)), beta, asked["tenant"]) == [], route


def test_what_belongs_to_no_tenant_is_for_who_may_see_every_tenant(both: Any, vera: Client) -> None:
    acme, beta = both
    whole = {model for model in admin.site._registry if model._meta.label_lower not in roles.pages()}
    assert {"auth.User", "django_celery_beat.PeriodicTask"} <= {model._meta.label for model in whole}
    for model in whole:
        assert list(vera.get(page(model, "changelist")).context_data["cl"].result_list) == [], model
    otto = roles.everything_in(acme.tenant, "otto")
    group = Group.objects.get(name="may everything")
    Membership.objects.create(user=User.objects.get(username="otto"), tenant_id=beta.tenant.id, role=group)
    listed = otto.get(reverse("admin:auth_user_changelist")).context_data["cl"].result_list
    assert "vera" in [user.username for user in listed]
