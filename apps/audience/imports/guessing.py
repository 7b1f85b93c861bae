"""Which field a column probably is, by its name in several languages, and which type an attribute has, by its first values."""

import re
import unicodedata
from collections.abc import Sequence

from apps.audience.imports.fields import IGNORE, Kind, attribute_field, unused_name
from apps.audience.imports.values import BOOLS, is_date, is_number

_NAMES = {
    "user_id": (
        "userid user uid id customerid clientid contactid memberid personid externalid externaluserid subscriberid accountid"
        " kundennummer kundennr kundenid benutzerid nutzerid mitgliedsnummer kontaktid idclient numeroclient idutilisateur"
        " idcliente idusuario numerocliente idutente codicecliente klantnummer klantid gebruikersid idklienta musterino"
        " musteriid kullaniciid brukerid kundenummer kundid anvandarid 用户id 用户编号 客户编号 ユーザーid 顧客id معرفالمستخدم رقمالعميل"
    ),
    "email": (
        "email emailaddress mail mailaddress epost emailadresse mailadresse epostadresse courriel adressemail adresseemail"
        " adressecourriel correo correoelectronico direccioncorreo correio enderecoemail postaelettronica indirizzoemail"
        " emailadres eposta epostaadresi adresemail emailadress"
        " 邮箱 电子邮件 电子邮箱 メール メールアドレス البريدالإلكتروني البريدالالكتروني"
    ),
    "phone": (
        "phone phonenumber telephone tel mobile mobilephone mobilenumber cell cellphone sms smsnumber msisdn whatsapp telefon"
        " telefonnummer handy handynummer mobil mobilnummer mobiltelefon rufnummer telefono numerotelefono movil celular"
        " telefone telemovel cellulare portable numerodetelephone numtelephone telefoon telefoonnummer mobiel telefonu numertelefonu"
        " ceptelefonu telefonnumarasi 手机 手机号 电话 电话号码 電話 電話番号 携帯 الهاتف رقمالهاتف الجوال"
    ),
    "locale": (
        "locale language lang languagecode sprache sprachcode langue idioma lingua taal jezyk dil sprak språk 语言 言語 اللغة"
    ),
    "timezone": (
        "timezone tz zone timezoneid zeitzone fuseau fuseauhoraire zonahoraria huso husohorario fusohorario fusoorario"
        " tijdzone strefaczasowa saatdilimi tidszon tidssone 时区 タイムゾーン المنطقةالزمنية"
    ),
}
_FIELD_OF: dict[str, str] = {}


def folded(name: str) -> str:
    """`Kunden-Nr.` and `KUNDENNR` are the same name: letters and digits, without case and accents."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in plain if char.isalnum())


_FIELD_OF |= {folded(word): name for name, words in _NAMES.items() for word in words.split()}


def guess(columns: Sequence[str], samples: Sequence[Sequence[str]]) -> dict[str, str]:
    """{column: field} for every column; `samples`: the first rows. The first column of a field has it; names that nobody knows become
    attributes, and columns without any value are ignored."""
    mapping: dict[str, str] = {}
    names: set[str] = set()
    for index, column in enumerate(columns):
        known = _FIELD_OF.get(folded(column))
        values = [row[index].strip() for row in samples if index < len(row) and row[index].strip()]
        if known and known not in mapping.values():
            mapping[column] = known
        elif samples and not values:
            mapping[column] = IGNORE
        else:
            name = unused_name(_slug(column), names)
            names.add(name)
            mapping[column] = attribute_field(name, _kind(values))
    return mapping


def _slug(column: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", column) if not unicodedata.combining(c))
    slug = re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")[:40]
    return slug if slug and not slug[0].isdigit() else f"column_{slug}".rstrip("_")


def _kind(values: Sequence[str]) -> Kind:
    """A number with a leading zero is a code, not a number."""
    if not values:
        return Kind.TEXT
    if all(is_date(value) for value in values):
        return Kind.DATE
    if all(value.casefold() in BOOLS for value in values) and not all(value in "01" for value in values):
        return Kind.BOOL
    if all(is_number(value) and not re.match(r"[-+]?0\d", value) for value in values):
        return Kind.NUMBER
    return Kind.TEXT
