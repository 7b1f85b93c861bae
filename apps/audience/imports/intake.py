"""A file on its way in: unpacked, decoded and cut into sealed chunks of whole lines while it arrives. It is never whole in memory.

Takes gzip (RFC 1952), UTF-8, UTF-16 and Windows-1252, of which ISO 8859-1 is a part.
"""

import codecs
import zlib
from uuid import UUID

from apps.audience import models
from apps.audience.imports.dialect import Head, head_of, unreadable
from apps.core import crypto, ids
from apps.core.problem_codes import Code
from apps.core.problems import Problem

MOST_BYTES = 2 * 1024**3
MOST_LINES = 20_000_000
MOST_LINE = 1024 * 1024
PIECE = 1024 * 1024
_HEAD = 4096


class Intake:
    """`feed` the bytes as they come, then `close`; `discard` whenever that fails. Each raises Problem: invalid_csv, body_too_large.

    Nobody sees the chunks before an import names them; those that none ever names are swept (keeping.py).
    """

    def __init__(self, tenant_id: UUID) -> None:
        self.import_id = ids.new()
        self.size = 0
        self.lines = 0
        self.encoding = ""
        self.head: Head | None = None
        self._tenant_id = tenant_id
        self._number = 0
        self._raw = b""
        self._unzip: zlib._Decompress | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_ascii = True
        self._text = ""
        self._is_begun = False

    def feed(self, data: bytes) -> None:
        if not self._is_begun:
            self._raw += data
            if len(self._raw) < 2:
                return
            data, self._raw, self._is_begun = self._raw, b"", True
            if data[:2] == b"\x1f\x8b":
                self._unzip = zlib.decompressobj(31)
        if self._unzip is None:
            self._take(data)
        else:
            self._inflate(data)

    def close(self) -> None:
        """After the last byte."""
        if not self._is_begun:
            data, self._raw, self._is_begun = self._raw, b"", True
            self._take(data)
        if self._unzip is not None and not self._unzip.eof:
            raise unreadable("The gzip file ends too early.", self.lines + 1)
        self._decode(b"", final=True)
        if self._text:
            self._save(self._text)
            self._text = ""
        if self.head is None:
            raise unreadable("The file is empty.", 1)

    def discard(self) -> None:
        models.ImportChunk.objects.of(self._tenant_id).filter(import_id=self.import_id).delete()

    def _inflate(self, data: bytes) -> None:
        """In small steps: a bomb of a few kilobytes must not become gigabytes at once."""
        while data:
            assert self._unzip is not None
            if self._unzip.eof:
                self._unzip = zlib.decompressobj(31)
            try:
                plain = self._unzip.decompress(data, PIECE)
            except zlib.error as error:
                raise unreadable(f"The gzip file is damaged ({error}).", self.lines + 1) from None
            data = self._unzip.unconsumed_tail or self._unzip.unused_data
            self._take(plain)

    def _take(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > MOST_BYTES:
            raise Problem(Code.BODY_TOO_LARGE, f"A file may have {MOST_BYTES // 1024**3} GiB, unpacked.")
        if self._decoder is None and len(self._raw) + len(data) < _HEAD:
            self._raw += data
            return
        for start in range(0, len(data), PIECE):
            self._decode(data[start : start + PIECE])

    def _decode(self, data: bytes, *, final: bool = False) -> None:
        if self._decoder is None:
            data, self._raw = self._raw + data, b""
            self._use(_encoding_of(data))
        assert self._decoder is not None
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            text = self._decode_as_windows(error, final)
        if self._is_ascii and not text.isascii():
            self._is_ascii = False
        if "\x00" in text:
            raise unreadable("There is a NUL character.", *self._place(text[: text.index("\x00")]))
        self._text += text
        if len(self._text) >= PIECE:
            self._cut()

    def _use(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def _decode_as_windows(self, error: UnicodeDecodeError, final: bool) -> str:
        """When nothing before it was more than ASCII, which is the same in both."""
        before = error.object[: error.start]
        if self.encoding != "utf-8" or not self._is_ascii or not before.isascii():
            before_text = before.decode(self.encoding, "replace")
            raise unreadable(f"This is not {self.encoding.upper()}.", *self._place(before_text)) from None
        self._use("cp1252")
        assert self._decoder is not None
        whole = error.object
        try:
            return self._decoder.decode(whole, final)
        except UnicodeDecodeError as second:
            detail = f"The byte 0x{whole[second.start]:02X} is neither UTF-8 nor Windows-1252."
            raise unreadable(detail, *self._place(whole[: second.start].decode("cp1252", "replace"))) from None

    def _place(self, text: str) -> tuple[int, int]:
        """Line and column of what comes after `text`."""
        whole = self._text + text
        return self.lines + whole.count("\n") + 1, len(whole) - (whole.rfind("\n") + 1) + 1

    def _cut(self) -> None:
        end = self._text.rfind("\n") + 1 or self._text.rfind("\r", 0, -1) + 1
        if end:
            self._save(self._text[:end])
            self._text = self._text[end:]
        if len(self._text) > MOST_LINE:
            raise unreadable("This line is longer than 1 MiB.", self.lines + 1)

    def _save(self, text: str) -> None:
        if self.head is None:
            self.head = head_of(text)
        self.lines += count_lines(text)
        if self.lines > MOST_LINES:
            raise Problem(Code.BODY_TOO_LARGE, f"A file may have {MOST_LINES} lines.")
        chunk_id = ids.new()
        sealed = crypto.encrypt(zlib.compress(text.encode(), 1), bound_to=chunk_id.bytes)
        models.ImportChunk.objects.create(
            id=chunk_id, tenant_id=self._tenant_id, import_id=self.import_id, number=self._number, sealed=sealed
        )
        self._number += 1


def count_lines(text: str) -> int:
    """As csv counts them: they end in LF, CR LF or CR."""
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    return ends + (not text.endswith(("\n", "\r")))


def _encoding_of(data: bytes) -> str:
    """By its first bytes: a byte order mark, or else NUL bytes where UTF-16 has them in Latin text."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return name
    sample = data[: _HEAD // 2 * 2]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > len(sample) // 4 and odd > even * 4:
        return "utf-16-le"
    return "utf-16-be" if even > len(sample) // 4 and even > odd * 4 else "utf-8"
