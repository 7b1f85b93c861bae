"""Rows of a file, checked column by column and made ready for the staging table: addresses only sealed, hashed and masked."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import uuid_utils

from apps.audience.bodies import MAX_ATTRIBUTES
from apps.audience.imports import plain_addresses
from apps.audience.imports.fields import Attribute, Kind, Plan
from apps.audience.imports.reading import Rows
from apps.audience.imports.values import EXPECTED, READERS
from apps.core import crypto, ids
from apps.core.enums import Channel
from apps.core.locales import canonical_locale, is_timezone
from apps.core.problem_codes import Code
from apps.core.problems import Problem

LANES = 2
MOST_TEXT = 4_000
NULL = "\\N"


class Wrong(NamedTuple):
    """`column`: its header name, "" for the row as a whole."""

    column: str
    code: Code
    detail: str


class Refused(NamedTuple):
    line: int
    values: list[str]
    wrong: list[Wrong]


@dataclass
class Checked:
    """`staged`: rows for COPY in text format, in the order of staging.COLUMNS."""

    staged: str = ""
    count: int = 0
    addresses: int = 0
    refused: list[Refused] = field(default_factory=list)


class Checker:
    """For one file of one tenant."""

    def __init__(self, tenant_id: UUID, plan: Plan) -> None:
        self._plan = plan
        self._wrong: defaultdict[int, list[Wrong]] = defaultdict(list)
        self._channels = {
            name: (channel, crypto.hashers(tenant_id.bytes + channel.encode()), read)
            for name, channel, read in (
                ("email", Channel.EMAIL, plain_addresses.email),
                ("phone", Channel.SMS, plain_addresses.phone),
            )
            if name in plan.at
        }

    def check(self, rows: Rows) -> Checked:
        lines, values, refused = self._of_full_width(rows)
        if not values:
            return Checked(refused=refused)
        cells = [[cell.strip() for cell in column] for column in zip(*values, strict=True)]
        people = self._people(cells)
        attributes = self._attributes(cells, len(values))
        known = {name: self._known(name, cells[self._plan.at[name]]) for name in self._channels}
        if self._wrong:
            refused += [Refused(lines[at], values[at], wrong) for at, wrong in sorted(self._wrong.items())]
            good = [at for at in range(len(values)) if at not in self._wrong]
            lines = [lines[at] for at in good]
            people = [[column[at] for at in good] for column in people]
            attributes = [attributes[at] for at in good]
            known = {name: [found[at] for at in good] for name, found in known.items()}
            self._wrong.clear()
        checked = Checked(count=len(lines), refused=sorted(refused))
        checked.addresses = sum(one is not None for found in known.values() for one in found)
        checked.staged = self._staged(lines, people, attributes, known)
        return checked

    def _of_full_width(self, rows: Rows) -> tuple[Sequence[int], list[list[str]], list[Refused]]:
        width = len(self._plan.columns)
        if all(len(row) == width for row in rows.values):
            return rows.lines, rows.values, []
        pairs = list(zip(rows.lines, rows.values, strict=True))
        good = [(line, row) for line, row in pairs if len(row) == width]
        refused = [
            Refused(line, row, [Wrong("", Code.INVALID_CSV, f"The row has {len(row)} cells, the header {width}.")])
            for line, row in pairs
            if len(row) != width
        ]
        return [line for line, _ in good], [row for _, row in good], refused

    def _people(self, cells: list[list[str]]) -> list[list[str]]:
        """user_id, locale, timezone."""
        user_ids = cells[self._plan.at["user_id"]]
        for at, text in enumerate(user_ids):
            if not 1 <= len(text) <= 128 or not text.isprintable():
                if text:
                    self._note(at, "user_id", Code.OUT_OF_RANGE, "A user_id has 1 to 128 printable characters.")
                else:
                    self._note(at, "user_id", Code.MISSING_FIELD, "The row does not say who it is about.")
        return [user_ids, self._looked_up("locale", cells, _locale), self._looked_up("timezone", cells, _timezone)]

    def _looked_up(self, name: str, cells: list[list[str]], read: Callable[[str], str | None]) -> list[str]:
        if name not in self._plan.at:
            return [""] * len(cells[0])
        given = cells[self._plan.at[name]]
        found = {text: read(text) for text in set(given)}
        if None not in found.values():
            return [str(found[text]) for text in given]
        for at, text in enumerate(given):
            if found[text] is None:
                code = Code.INVALID_LOCALE if name == "locale" else Code.INVALID_TIMEZONE
                what = "a BCP 47 tag such as de-CH" if name == "locale" else "an IANA time zone such as Europe/Zurich"
                self._note(at, name, code, f"`{text[:60]}` is not {what}.")
        return [found[text] or "" for text in given]

    def _attributes(self, cells: list[list[str]], count: int) -> list[str]:
        """JSON of those that are not empty."""
        if not self._plan.attributes:
            return ["{}"] * count
        names = [attribute.name for attribute in self._plan.attributes]
        columns = [self._typed(attribute, cells[attribute.index]) for attribute in self._plan.attributes]
        encode = msgspec.json.encode
        found = [
            encode({name: value for name, value in zip(names, row, strict=True) if value is not None})
            for row in zip(*columns, strict=True)
        ]
        for at, text in enumerate(found):
            if len(text) > MAX_ATTRIBUTES:
                detail = f"The attributes have {len(text)} bytes of JSON; the limit is {MAX_ATTRIBUTES}."
                self._note(at, "", Code.OUT_OF_RANGE, detail)
        return [text.decode() for text in found]

    def _typed(self, attribute: Attribute, given: list[str]) -> Sequence[Any]:
        column = self._plan.columns[attribute.index]
        if attribute.kind is Kind.TEXT:
            for at, text in enumerate(given):
                if len(text) > MOST_TEXT:
                    detail = f"A text has at most {MOST_TEXT} characters; this one has {len(text)}."
                    self._note(at, column, Code.OUT_OF_RANGE, detail, is_column=True)
            return [text or None for text in given]
        read = READERS[attribute.kind]
        values = [read(text) if text else None for text in given]
        for at, (text, value) in enumerate(zip(given, values, strict=True)):
            if value is None and text:
                detail = f"`{text[:60]}` is not {EXPECTED[attribute.kind]}."
                self._note(at, column, Code.WRONG_TYPE, detail, is_column=True)
        return values

    def _known(self, name: str, given: list[str]) -> list[plain_addresses.Known | None]:
        read = self._channels[name][2]
        found: list[plain_addresses.Known | None] = []
        for at, text in enumerate(given):
            known = read(text) if text else None
            if isinstance(known, Problem):
                self._note(at, name, known.code, known.detail)
                known = None
            found.append(known)
        return found

    def _note(self, at: int, name: str, code: Code, detail: str, *, is_column: bool = False) -> None:
        column = name if is_column or not name else self._plan.columns[self._plan.at[name]]
        self._wrong[at].append(Wrong(column, code, detail))

    def _staged(
        self,
        lines: Iterable[int],
        people: list[list[str]],
        attributes: list[str],
        known: Mapping[str, list[plain_addresses.Known | None]],
    ) -> str:
        user_ids = people[0]
        lanes = ["01"[zlib.crc32(text.encode()) & 1] for text in user_ids]
        if any("\\" in text for text in user_ids):
            user_ids = [_escaped(text) for text in user_ids]
        columns = [
            map(str, lines),
            lanes,
            [uuid_utils.uuid7().hex for _ in lanes],
            user_ids,
            *people[1:],
            [_escaped(text) if "\\" in text else text for text in attributes],
        ]
        for name in ("email", "phone"):
            columns += self._sealed(name, known[name]) if name in known else [[NULL] * len(lanes)] * 5
        return "".join(["\t".join(row) + "\n" for row in zip(*columns, strict=True)])

    def _sealed(self, name: str, known: list[plain_addresses.Known | None]) -> list[list[str]]:
        """Id, cipher text, hash, mask, and the hashes under earlier keys while keys are changed."""
        current, *earlier = self._channels[name][1]
        made = [uuid_utils.uuid7() for _ in known]
        there = [at for at, one in enumerate(known) if one is not None]
        cipher = crypto.encrypt_all(
            [known[at].text.encode() for at in there],  # type: ignore[union-attr]
            bound_to=[made[at].bytes for at in there],
        )
        sealed = [NULL] * len(known)
        for at, text in zip(there, cipher, strict=True):
            sealed[at] = "\\\\x" + text.hex()
        return [
            [one.hex for one in made],
            sealed,
            [NULL if one is None else "\\\\x" + current(one.hashed).hex() for one in known],
            [NULL if one is None else _escaped(one.masked) for one in known],
            [NULL if one is None or not earlier else _array(hasher(one.hashed) for hasher in earlier) for one in known],
        ]


def keys_at_hand() -> str:
    """Which keys seal and hash now: rows that were staged with others are staged anew."""
    from django.conf import settings

    return f"{crypto.current_key()}/{','.join(settings.HASH_KEYS)}"[:200]


def _array(hashes: Iterable[bytes]) -> str:
    return "{" + ",".join(f'"\\\\\\\\x{one.hex()}"' for one in hashes) + "}"


def _escaped(text: str) -> str:
    """For COPY's text format. Tabs and line ends are no part of what is printable."""
    return text.replace("\\", "\\\\")


@lru_cache(maxsize=2_048)
def _locale(text: str) -> str | None:
    return canonical_locale(text.replace("_", "-")) if text else ""


def _timezone(text: str) -> str | None:
    return text if not text or is_timezone(text) else None


def fault_sealed(refused: Refused) -> tuple[UUID, bytes]:
    """An id, and cipher text bound to it: {"values": [...], "wrong": [[column, code, detail], ...]}."""
    id_ = ids.new()
    said = {"values": refused.values, "wrong": [tuple(one) for one in refused.wrong]}
    return id_, crypto.encrypt(msgspec.json.encode(said), bound_to=id_.bytes)
