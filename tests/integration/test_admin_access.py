"""Who gets in, and what nobody may do there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.core import ids
from apps.core.types import Tenant
from apps.inbox.models import InboxItem
from apps.inbox.services import add_items
from apps.ledger.models import DeadLetter, Delivery, Notification
from apps.preferences.models import Preference
from apps.receipts.models import ReceiptCall
from tests.integration import admin_cast as cast
from tests.integration import inbox_cast
from tests.integration.admin_fixtures import acme as acme

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent.parent
LISTS = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry]
PAGES = ["admin:index", "sandbox", "sandbox-messages", *LISTS]


def test_every_page_sends_a_stranger_to_the_login() -> None:
    for name in PAGES:
        answer = Client().get(reverse(name))
        assert answer.status_code == 302, name
        assert answer["Location"].startswith("/admin/login/?next="), name


def test_every_page_sends_a_user_who_is_not_staff_to_the_login() -> None:
    client = Client()
    client.force_login(User.objects.create(username="otto"))
    for name in PAGES:
        assert client.get(reverse(name))["Location"].startswith("/admin/login/"), name


def test_staff_without_permissions_sees_home_and_no_rows(acme: Tenant) -> None:
    client = cast.viewer()
    assert client.get(reverse("admin:index")).status_code == 200
    for name in LISTS:
        assert client.get(reverse(name)).status_code == 403, name


def test_every_list_opens_with_and_without_rows(acme: Tenant) -> None:
    client = cast.mira()
    for name in PAGES:
        assert client.get(reverse(name)).status_code == 200, name


def test_the_login_leads_to_home() -> None:
    User.objects.create_superuser("mira", "mira@acme.example", "secret")
    answer = Client().post(reverse("admin:login"), {"username": "mira", "password": "secret"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_it_refuses_to_add_to_delete_and_to_change_what_happened(acme: Tenant) -> None:
    note = cast.notification(acme, cast.person(acme))
    sent = cast.delivery(note)
    item = inbox_cast.new_item(acme.id, note.recipient_id)
    add_items([item])
    rows = [
        (Notification, note.id),
        (Delivery, sent.id),
        (DeadLetter, cast.letter(sent).id),
        (InboxItem, item.id),
        (ReceiptCall, ReceiptCall.objects.create(account_id=ids.new(), provider="sandbox", sealed=b"x").id),
        (
            Preference,
            Preference.objects.create(tenant_id=acme.id, recipient_id=note.recipient_id, topic="*", is_on=True).id,
        ),
    ]
    client = cast.mira()
    for model, id_ in rows:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_add")).status_code == 403, name
        assert client.post(reverse(f"{name}_add"), {"status": "delivered"}).status_code == 403, name
        assert client.post(reverse(f"{name}_delete", args=[id_]), {"post": "yes"}).status_code == 403, name
        delete_all = {"action": "delete_selected", "_selected_action": [str(id_)], "post": "yes"}
        client.post(reverse(f"{name}_changelist"), delete_all)
        client.post(reverse(f"{name}_change", args=[id_]), {"status": "failed", "is_on": "", "category": "critical"})
        assert model.objects.count() == 1, name
    note.refresh_from_db()
    sent.refresh_from_db()
    assert (note.category, sent.status) == ("transactional", "delivered")
    assert Preference.objects.get().is_on


def test_the_admin_has_no_faults() -> None:
    assert admin.site.check(None) == []


def test_only_the_web_process_loads_the_admin() -> None:
    """Workers and beat load Celery's app and nothing of this."""
    code = (
        "import sys, notifier.celery, django; django.setup(); notifier.celery.app.loader.import_default_modules();"
        "print([name for name in sys.modules if name.startswith('apps.') and '.admin' in name])"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "notifier.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"
