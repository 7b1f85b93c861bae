from apps.inbox.origins import cors_headers, preflight_headers

SHOP = "https://shop.acme.example"


def test_without_origins_no_page_may_call(settings):
    settings.INBOX_ORIGINS = frozenset()

    assert cors_headers(SHOP) == {}
    assert preflight_headers(SHOP) == {}


def test_a_listed_origin_may_call_and_nobody_else(settings):
    settings.INBOX_ORIGINS = frozenset({SHOP})

    assert cors_headers(SHOP)["Access-Control-Allow-Origin"] == SHOP
    for other in (
        "",
        "null",
        "https://evil.example",
        f"{SHOP}.evil.example",
        "http://shop.acme.example",
        f"{SHOP}:8443",
    ):
        assert cors_headers(other) == {"Vary": "Origin"}
        assert preflight_headers(other) == {"Vary": "Origin"}


def test_a_preflight_names_what_the_page_may_send_and_never_credentials(settings):
    settings.INBOX_ORIGINS = frozenset({SHOP})

    headers = preflight_headers(SHOP)

    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
