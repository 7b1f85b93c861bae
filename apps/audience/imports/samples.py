"""The first values of each column, for whoever maps it: addresses and numbers only as far as one recognises their form."""

import re
import zlib
from uuid import UUID

from apps.audience import models
from apps.audience.imports.dialect import head_of
from apps.audience.imports.values import is_date
from apps.core import crypto

SHOWN = 3
_MAIL = re.compile(r"([^\s@])[^\s@]*@")


def samples(tenant_id: UUID, import_id: UUID) -> list[list[str]]:
    """By column, at most SHOWN values that are not empty. Nothing when the file is gone."""
    chunks = models.ImportChunk.objects.of(tenant_id).filter(import_id=import_id, number=0)
    row = chunks.values_list("id", "sealed").first()
    if row is None:
        return []
    head = head_of(zlib.decompress(crypto.decrypt(row[1], bound_to=row[0].bytes)).decode())
    return [
        [masked(value) for line in head.samples if index < len(line) and (value := line[index].strip())][:SHOWN]
        for index in range(len(head.columns))
    ]


def masked(value: str) -> str:
    """`r***@example.com`; of seven digits and more only the last two."""
    text = _MAIL.sub(r"\1***@", value)[:40]
    if sum(char.isdigit() for char in text) < 7 or "@" in text or is_date(text):
        return text
    hidden = sum(char.isdigit() for char in text) - 2
    return "".join("*" if char.isdigit() and (hidden := hidden - 1) >= 0 else char for char in text)
