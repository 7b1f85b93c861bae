"""Brings database, static files and demo data up to date in one process: `python -m notifier.local.prepare DEMO_FILE`."""

import os
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path


def schema_fingerprint(project: Path) -> str:
    """Changes when a migration or a dependency does."""
    return _fingerprint([project / "requirements.txt", *project.glob("apps/*/migrations/*")])


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
