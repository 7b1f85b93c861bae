"""Brings database, static files and demo data up to date in one process: `python -m notifier.local.prepare DEMO_FILE`."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Stamp:
    """Remembers for which database which schema was prepared. Only for a server of our own; another's may change unseen."""

    path: Path
    text: str

    @classmethod
    def of(cls, project: Path, path: Path, database_url: str) -> Self:
        """`database_url` is empty for a database of somebody else. Changes with the database, a migration, a dependency or a role."""
        password = urlsplit(database_url).password or ""
        schema = _fingerprint(
            [project / "requirements.txt", project / "apps/tenants/roles.py", *project.glob("apps/*/migrations/*")]
        )
        return cls(path, sha256(f"{password} {schema}".encode()).hexdigest() if password else "")

    def is_current(self) -> bool:
        return bool(self.text) and self.path.exists() and self.path.read_text() == self.text

    def write(self) -> None:
        if self.text:
            self.path.write_text(self.text)


def main(demo_file: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    _collect_static(settings.BASE_DIR, Path(settings.STATIC_ROOT))
    call_command("seed_demo", out=demo_file)


def _collect_static(project: Path, root: Path) -> None:
    from django.core.management import call_command

    sources = [project / "requirements.txt", *project.glob("apps/*/static/**/*"), *project.glob("static/**/*")]
    stamp, fingerprint = root / ".made-from", _fingerprint(sources)
    if not stamp.exists() or stamp.read_text() != fingerprint:
        call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists())
        stamp.write_text(fingerprint)


def _fingerprint(paths: Iterable[Path]) -> str:
    digest = sha256()
    for path in sorted(path for path in paths if path.is_file()):
        digest.update(str(path).encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1])
