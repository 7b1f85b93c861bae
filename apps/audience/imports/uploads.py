"""Requests that carry a file: its bytes go into an Intake as they arrive, be they the body or a part of a form."""

from typing import Any
from uuid import UUID

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from apps.audience.imports.intake import Intake
from apps.core.problem_codes import Code
from apps.core.problems import FieldError, Problem

BODIES = frozenset(
    ("text/csv", "application/csv", "application/gzip", "application/x-gzip", "application/octet-stream")
)
FORM = "multipart/form-data"
_PIECE = 256 * 1024


class IntakeHandler(FileUploadHandler):
    """Takes the first file of a form. `problem`: why it was refused; then what it stored is gone again."""

    chunk_size = _PIECE

    def __init__(self, tenant_id: UUID) -> None:
        super().__init__()
        self.intake: Intake | None = None
        self.name = ""
        self.problem: Problem | None = None
        self._tenant_id = tenant_id

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.intake is not None:
            raise SkipFile
        self.intake, self.name = Intake(self._tenant_id), self.file_name or ""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self.intake is not None
        try:
            self.intake.feed(raw_data)
        except Problem as problem:
            self.problem = problem
            raise SkipFile from None

    def file_complete(self, file_size: int) -> None:
        assert self.intake is not None
        try:
            self.intake.close()
        except Problem as problem:
            self.problem = problem

    def upload_interrupted(self) -> None:
        if self.intake is not None:
            self.intake.discard()

    def serve(self, request: HttpRequest) -> None:
        """Before anything of its form was read."""
        request.upload_handlers = [self]

    def read(self, request: HttpRequest) -> tuple[Intake, str]:
        """The file and its name. Raises Problem."""
        assert request.FILES is not None
        if self.intake is None:
            errors = [FieldError("/file", Code.MISSING_FIELD, "The form has no file.")]
            raise Problem(Code.MISSING_FIELD, "The form has no file.", errors=errors)
        if self.problem is not None:
            self.intake.discard()
            raise self.problem
        return self.intake, self.name


def taken_from(request: HttpRequest, tenant_id: UUID) -> tuple[Intake, str]:
    """The file of a body or a form, and its name. Raises Problem: unsupported_media_type, missing_field, invalid_csv, body_too_large.
    When it raises, nothing is stored."""
    kind = (request.content_type or "").lower()
    if kind == FORM:
        handler = IntakeHandler(tenant_id)
        handler.serve(request)
        return handler.read(request)
    if kind not in BODIES:
        raise Problem(
            Code.UNSUPPORTED_MEDIA_TYPE, "Send text/csv, application/gzip, or multipart/form-data with a part `file`."
        )
    intake = Intake(tenant_id)
    try:
        while piece := request.read(_PIECE):
            intake.feed(piece)
        intake.close()
    except (Problem, UnreadablePostError):
        intake.discard()
        raise
    return intake, ""
