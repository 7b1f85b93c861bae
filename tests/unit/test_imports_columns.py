"""Columns: what they probably are, what they may be, and what their cells become."""

import pytest
from django.test import override_settings

from apps.audience.imports.dialect import head_of
from apps.audience.imports.fields import plan_of
from apps.audience.imports.guessing import guess
from apps.audience.imports.samples import masked
from apps.audience.imports.values import day, number, truth
from apps.core import crypto
from apps.core.problem_codes import Code
from apps.core.problems import Problem


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        (["user_id", "E-Mail", "Phone Number", "Language", "Time Zone"], ["user_id", "email", "phone", "locale", "timezone"]),
        (["Kunden-Nr.", "E-Mail-Adresse", "Handynummer", "Sprache", "Zeitzone"], ["user_id", "email", "phone", "locale", "timezone"]),
        (["ID client", "Courriel", "Téléphone", "Langue", "Fuseau horaire"], ["user_id", "email", "phone", "locale", "timezone"]),
        (["ID cliente", "Correo electrónico", "Teléfono", "Idioma", "Zona horaria"], ["user_id", "email", "phone", "locale", "timezone"]),
        (["Codice cliente", "Posta elettronica", "Cellulare", "Lingua"], ["user_id", "email", "phone", "locale"]),
        (["用户ID", "邮箱", "手机号", "语言", "时区"], ["user_id", "email", "phone", "locale", "timezone"]),
        (["id", "البريد الإلكتروني", "رقم الهاتف"], ["user_id", "email", "phone"]),
    ],
)  # fmt: skip
def test_columns_are_guessed_in_several_languages(columns: list[str], fields: list[str]) -> None:
    assert list(guess(columns, []).values()) == fields


def test_other_columns_become_attributes_of_the_type_of_their_values() -> None:
    columns = ["id", "Größe (cm)", "PLZ", "VIP", "Seit", "Notiz", "leer", "id 2", "notiz", "mail", "email"]
    rows = [
        ("a", "180", "08001", "ja", "2026-01-02", "x", "", "1", "z", "a@b.ch", ""),
        ("b", "1,5", "1010", "nein", "3.4.2025", "7", " ", "0", "", "", "c@d.ch"),
    ]
    assert guess(columns, rows) == {
        "id": "user_id",
        "Größe (cm)": "attributes.grosse_cm:number",
        "PLZ": "attributes.plz",
        "VIP": "attributes.vip:bool",
        "Seit": "attributes.seit:date",
        "Notiz": "attributes.notiz",
        "leer": "ignore",
        "id 2": "attributes.id_2:number",
        "notiz": "attributes.notiz_2",
        "mail": "email",
        "email": "attributes.email",
    }


@pytest.mark.parametrize(
    ("mapping", "pointer", "says"),
    [
        ({"a": "email"}, "/mapping", "No column is mapped to `user_id`."),
        ({"a": "user_id", "b": "user_id"}, "/mapping/b", "`user_id` is mapped twice."),
        ({"a": "user_id", "b": "attributes.x", "c/d": "attributes.x:number"}, "/mapping/c~1d", "is mapped twice"),
        ({"a": "user_id", "z": "email"}, "/mapping/z", "The file has no such column."),
        ({"a": "user_id", "b": "password"}, "/mapping/b", "is no field"),
        ({"a": "user_id", "b": "attributes.x:money"}, "/mapping/b", "is no field"),
        ({"a": "user_id", "b": "attributes.1x"}, "/mapping/b", "is no field"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(mapping: dict[str, str], pointer: str, says: str) -> None:
    with pytest.raises(Problem) as refusal:
        plan_of(["a", "b", "c/d"], mapping)
    assert refusal.value.code is Code.INVALID_MAPPING
    assert [error.pointer for error in refusal.value.errors] == [pointer]
    assert says in refusal.value.errors[0].detail


def test_a_mapping_names_where_each_field_stands() -> None:
    plan = plan_of(["x", "a", "n"], {"a": "user_id", "n": "attributes.age:number", "x": "ignore"})
    assert dict(plan.at) == {"user_id": 1}
    assert [(one.name, one.kind, one.index) for one in plan.attributes] == [("age", "number", 2)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-7", -7), ("3.5", 3.5), ("3,5", 3.5), ("1,25", 1.25), ("1,234", None), ("1.234.567", None), ("1e5", None),
     ("٣", None), ("", None), ("12345678901234567", None), ("0x1f", None), ("NaN", None)],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("2026-11-21", "2026-11-21"), ("21.11.2026", "2026-11-21"), ("1.2.2026", "2026-02-01"), ("2026/1/2", "2026-01-02"),
     ("2026-11-21T00:00:00Z", "2026-11-21"), ("11/12/2026", None), ("2026-02-30", None), ("21.11.26", None), ("", None)],
)  # fmt: skip
def test_days(text: str, value: str | None) -> None:
    assert day(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("JA", True), ("Yes", True), ("0", False), ("non", False), ("perhaps", None)]
)
def test_truths(text: str, value: bool | None) -> None:
    assert truth(text) is value


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        ("a,b;c\n1,2;3\n", ",", ("a", "b;c")),
        ("a;b\n1,5;2,5\n3,5;4\n", ";", ("a", "b")),
        ("a\tb\n1\t2,3,4\n", "\t", ("a", "b")),
        ('"a,b";"c"\n"x;y";z\n', ";", ("a,b", "c")),
        ("sep=|\na|b\n", "|", ("a", "b")),
        ("only\n1\n", ",", ("only",)),
        ("\n\n id , mail \n", ",", ("id", "mail")),
    ],
)
def test_the_delimiter_is_found_out(text: str, delimiter: str, columns: tuple[str, ...]) -> None:
    head = head_of(text)
    assert (head.delimiter, head.columns) == (delimiter, columns)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rosa@example.com", "r***@example.com"),
        ("+41 44 668 18 00", "+** ** *** ** 00"),
        ("Rosa", "Rosa"),
        ("2026", "2026"),
    ],
)
def test_samples_do_not_show_addresses(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 32, b"k" * 64, b"k" * 65])
def test_hashing_many_is_hashing_each(key: bytes) -> None:
    with override_settings(HASH_KEYS={"h2": key, "h1": b"1" * 32}):
        for value in ("", "rosa@example.com", "é" * 200):
            assert [hasher(value) for hasher in crypto.hashers(b"scope")] == crypto.keyed_hashes(b"scope", value)


def test_sealing_many_is_sealing_each() -> None:
    sealed = crypto.encrypt_all([b"one", b""], bound_to=[b"a", b"b"])
    assert [crypto.decrypt(one, bound_to=bound) for one, bound in zip(sealed, (b"a", b"b"), strict=True)] == [
        b"one",
        b"",
    ]
    assert len({one[3:15] for one in sealed}) == 2
    with pytest.raises(crypto.UndecipherableError):
        crypto.decrypt(sealed[0], bound_to=b"b")
