"""Whatever colour a tenant chooses, its people can read the page; whatever picture, no other server is asked."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from apps.tenants import brand


@given(st.integers(0, 0xFFFFFF))
def test_any_colour_becomes_one_that_can_be_read(number: int) -> None:
    found = brand.brand_of("Acme", f"#{number:06x}", "")
    assert brand.contrast(found.accent, brand.PAPER) >= 4.5 <= brand.contrast(found.night_accent, brand.NIGHT)
    assert brand.contrast(found.accent, found.on_accent) >= 4.5 <= brand.contrast(found.night_accent, found.on_night)


def test_a_colour_that_can_be_read_is_left_as_it_is() -> None:
    assert brand.brand_of("Acme", "#0b5cad", "").accent == "#0b5cad"
    assert brand.brand_of("Acme", "", "") == brand.brand_of("Acme", brand.DEFAULT_COLOR, "")
    assert round(brand.contrast("#000000", "#ffffff"), 1) == 21.0


@pytest.mark.parametrize("text", ["#fff", "red", "#12345g", "#0f7a55;}", " #0f7a55", "#0f7a555"])
def test_it_refuses_what_is_no_colour(text: str) -> None:
    with pytest.raises(ValidationError):
        brand.check_color(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://acme.test/logo.png",
        "data:text/html;base64,PGI+",
        "data:image/png;base64,",
        "data:image/png;base64,abc",
        "data:image/png,raw",
        'data:image/png;base64,AAAA" onload="x',
        "data:image/png;base64," + "A" * brand.MOST_LOGO,
    ],
)
def test_it_refuses_a_logo_that_is_no_picture_of_its_own(text: str) -> None:
    with pytest.raises(ValidationError):
        brand.check_logo(text)


def test_a_picture_as_data_url_is_a_logo() -> None:
    brand.check_logo("data:image/png;base64,iVBORw0KGgo=")
    brand.check_color("#0F7a55")
