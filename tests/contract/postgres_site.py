"""A PostgreSQL of the tests' own: Debian's programs, as a normal user, in a folder under /tmp, on a free port.

Nothing of it survives, so it need not be safe: without fsync a database is made in a moment.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk.demo.site import free_ports

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")
USER = "desk"


@dataclass(frozen=True, slots=True)
class Postgres:
    port: int
    folder: Path

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The address of a new, empty one."""
        self.sql(f'CREATE DATABASE "{name}"')
        try:
            yield self.url(name)
        finally:
            self.sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres", limit_s: float = 30) -> str:
        command = [_program("psql"), "-qtAX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit_s).stdout.strip()


@contextlib.contextmanager
def running_postgres(settings: tuple[str, ...] = FAST, kept: Path | None = None) -> Iterator[Postgres]:
    """`kept`: a folder whose database is there again the next time."""
    folder = kept or Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.mkdir(parents=True, exist_ok=True)
    owner = _normal_user()
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    try:
        if not data.exists():
            _run(owner, "initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        (port,) = free_ports(1)
        given = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *settings]
        options = " ".join(f"-c {setting}" for setting in given)
        _run(owner, "pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "-t", "50", "start")
        try:
            yield Postgres(port, folder)
        finally:
            _run(owner, "pg_ctl", "-D", str(data), "-m", "fast" if kept else "immediate", "-w", "stop")
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _normal_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to be root: then whom its package made for it, or nobody. None: we are a normal user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _run(owner: pwd.struct_passwd | None, name: str, *arguments: str) -> None:
    """Heard of no more than whether it worked: the server would hold a pipe open."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    options: dict[str, Any] = {**quiet, **user, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, "cwd": "/"}
    done = subprocess.run([_program(name), *arguments], check=False, timeout=58, **options)
    assert done.returncode == 0, f"{name} failed: {done.returncode}"


def _program(name: str) -> str:
    """Debian keeps them beside the PATH, a folder for each version."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    path = os.pathsep.join([*(str(place) for place in reversed(places)), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    assert found, f"{name} is missing: apt-get install postgresql"
    return found
