"""Credentials as an operator types them."""

import pytest
from django.core.exceptions import ValidationError

from apps.channels.forms import credentials_in

PEM = "-----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMG=\nByqGSM49==\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n  \n", {}),
        ("api_key = SG.x=y\n\n username=acme", {"api_key": "SG.x=y", "username": "acme"}),
        (f"key = {PEM}\nkey_id = A1\n", {"key": PEM, "key_id": "A1"}),
        (f"key_id = A1\r\nkey = {PEM}".replace("\n", "\r\n"), {"key_id": "A1", "key": PEM}),
        (
            'service_account = {"a": {\n  "b": "c=d"\n}}\nx = y',
            {"service_account": '{"a": {\n"b": "c=d"\n}}', "x": "y"},
        ),
        ('service_account = {"a": 1}\nx = y', {"service_account": '{"a": 1}', "x": "y"}),
    ],
)
def test_it_takes_lines_and_whole_key_files(text: str, expected: dict[str, str]) -> None:
    assert credentials_in(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("api_key = x\nsecret", "Line 2 is not name = value."),
        ("= x", "Line 1 is not name = value."),
        ("api_key =", "Line 1 is not name = value."),
        ("key = -----BEGIN PRIVATE KEY-----\nMIGTAgEAMBMG", "The value of key has no end."),
        ("service_account = {", "The value of service_account has no end."),
    ],
)
def test_it_says_which_line_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as raised:
        credentials_in(text)
    assert raised.value.messages == [sentence]
