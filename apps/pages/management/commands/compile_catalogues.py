"""Compiles locale/*/LC_MESSAGES/django.po with Babel: no gettext tools are needed, and the compiled files are kept in the repository."""

from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


def catalogues() -> list[Path]:
    return sorted(path for place in settings.LOCALE_PATHS for path in Path(place).glob("*/LC_MESSAGES/django.po"))


def compiled(path: Path) -> bytes:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.parts[-3], abort_invalid=True)
    found = BytesIO()
    write_mo(found, catalogue)
    return found.getvalue()


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; fail where a compiled file is not up to date."
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        for path in catalogues():
            target, wanted = path.with_suffix(".mo"), compiled(path)
            if target.exists() and target.read_bytes() == wanted:
                continue
            if check:
                raise CommandError(f"{target} is not up to date: run manage.py compile_catalogues.")
            target.write_bytes(wanted)
            self.stdout.write(str(target))
