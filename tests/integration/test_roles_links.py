"""Whatever a page of the admin offers to somebody, they may follow: no link leads to a "no"."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from django.test import Client
from django.urls import reverse

from apps.tenants.roles import Role, make_roles
from tests.integration import admin_cast as cast
from tests.integration import roles_cast as roles

pytestmark = pytest.mark.django_db
_LINK = re.compile(r'<a\b[^>]*?\bhref="([^"#]+)')
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)(?:[a-z]+_\w{26}|\d+)(?=/)")
OUT = reverse("admin:logout")


@pytest.mark.parametrize("role", Role)
def test_no_link_leads_to_a_no(role: Role) -> None:
    make_roles()
    acme = roles.Planter(cast.acme(), "acmemark")
    for _, model in roles.pages().values():
        acme.row(model)
    vera = roles.staff("vera", **{role.value: (acme.tenant,)})
    met, refused = walk(vera, reverse("admin:index"))
    assert refused == []
    assert met > 20


def walk(client: Client, start: str) -> tuple[int, list[tuple[str, str, int]]]:
    """How many pages, one of each kind; and what was refused: where the link stood, what it was, the status."""
    todo, known, refused = [("", start)], set[str](), list[tuple[str, str, int]]()
    while todo:
        source, address = todo.pop()
        kind = _ID.sub("<id>", address.partition("?")[0])
        if kind in known or kind == OUT:
            continue
        known.add(kind)
        answer = client.get(address)
        if answer.status_code not in {200, 302}:
            refused.append((source, address, answer.status_code))
        elif answer.status_code == 302:
            todo.append((address, urljoin(address, answer["Location"])))
        elif "text/html" in answer["Content-Type"] and not answer.streaming:
            found = (urljoin(address, unescape(link)) for link in _LINK.findall(answer.content.decode()))
            todo += [(address, link) for link in found if link.startswith("/admin/")]
    return len(known), refused
