"""The letter of every email provider: exactly one recipient, exactly one sender, no header but ours."""

import pytest
from msgspec import structs

from apps.channels import mail
from apps.channels.base import UntranslatableError
from apps.core.enums import Channel
from tests.contract.conformance import ProviderCase


class TestLetters(ProviderCase):
    name = "ses"
    channel = Channel.EMAIL

    @pytest.mark.parametrize(
        ("sender", "expected"),
        [
            ("hello@acme.test", "hello@acme.test"),
            ("<hello@acme.test>", "hello@acme.test"),
            ("Acme <hello@acme.test>", "Acme <hello@acme.test>"),
            ("Acme, Inc. <hello@acme.test>", '"Acme, Inc." <hello@acme.test>'),
            ('"Acme, Inc." <hello@acme.test>', '"Acme, Inc." <hello@acme.test>'),
            ('Acme "The" Shop <hello@acme.test>', '"Acme \\"The\\" Shop" <hello@acme.test>'),
            ("Otto <otto@example.com>, Acme <hello@acme.test>", '"Otto <otto@example.com>, Acme" <hello@acme.test>'),
            ("A\tB\x07 <hello@acme.test>", "A B <hello@acme.test>"),
        ],
    )
    def test_it_has_one_sender_whatever_the_name(self, sender: str, expected: str) -> None:
        message = structs.replace(self.messages(1)[0], sender=sender)
        assert mail.letter(self.account(""), message).from_email == expected

    @pytest.mark.parametrize(
        "address",
        ["", "rosa", "@example.com", "rosa@", "a@b@example.com", ".rosa@example.com", "(x)rosa@example.com", "Rosa <rosa@example.com>",
         "rosa@exam ple.com", "rosa@example.com;", "rosa@[127.0.0.1]", "rosa@example.com\x00"],
    )  # fmt: skip
    def test_it_refuses_what_is_not_exactly_one_address(self, address: str) -> None:
        with pytest.raises(UntranslatableError, match="not exactly one"):
            mail.letter(self.account(""), structs.replace(self.messages(1)[0], address=address))

    @pytest.mark.parametrize(
        "address", ["rosa+tag@example.com", "o'brien@example.com", '"rosa b"@example.com', "rosa@müller.example"]
    )
    def test_it_takes_every_address_that_is_one(self, address: str) -> None:
        assert mail.letter(self.account(""), structs.replace(self.messages(1)[0], address=address)).to == [address]
