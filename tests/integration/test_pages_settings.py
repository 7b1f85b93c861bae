"""A person's settings page, without JavaScript."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.preferences import choosing
from tests.integration.dispatch_cast import endpoint, person
from tests.integration.pages_cast import Browser, catalogue

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa() -> Browser:
    catalogue()
    recipient = person()
    endpoint(recipient)
    return Browser(recipient)


def switches(browser: Browser) -> list[tuple[str, str, bool, str]]:
    found = choosing.stored([browser.recipient])[browser.recipient].switches
    return [(s.topic, s.channel, s.is_on, s.digest or "") for s in found]


def test_it_shows_every_event_type_and_what_holds(rosa: Browser) -> None:
    page = rosa.get()
    assert page.status_code == 200
    assert "Weekly news" in page.content.decode()


def test_a_cell_is_changed_and_taken_back(rosa: Browser) -> None:
    page = rosa.cells(comment__new="email=off")
    assert page.redirect_chain[0][1] == 303
    assert switches(rosa) == [("comment.new", "email", False, "")]
    assert "Saved." in page.content.decode()
    page = rosa.undo(page)
    assert switches(rosa) == []
    assert "It is as it was." in page.content.decode()


def test_the_page_takes_a_fixed_number_of_queries(rosa: Browser) -> None:
    with CaptureQueriesContext(connection) as seen:
        assert rosa.get().status_code == 200
    assert len(seen) <= 8, [q["sql"][:80] for q in seen]
