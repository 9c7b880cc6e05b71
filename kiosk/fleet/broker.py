"""Mosquitto's configuration: who may say and hear what, for the demo (plain, loopback) and for a site (TLS).

Identity is the broker's. A kiosk's user name is its id, and its client id is made equal to it, so that nobody can take
another's place; the rules name topics by user name. At a site kiosks come in by certificate (CN = kiosk id) at one
listener, desks and fleet managers by password at another; each listener has rules of its own, so that a certificate
never has a desk's rights, whatever its name.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from kiosk.errors import ConfigError
from kiosk.wire import topics

ITERATIONS = 10_000
"""Of PBKDF2. The passwords are 192 random bits: what slows guessing of chosen ones down is not needed here."""

KIOSK_RULES = f"""\
# A kiosk (user name = kiosk id) writes and reads below its own id only.
pattern write {topics.ROOT}/%u/{topics.PRESENCE}
pattern write {topics.ROOT}/%u/up/#
pattern read {topics.ROOT}/%u/down/#
"""

_DESK_READS = (topics.PRESENCE, "up/#")
_DESK_WRITES = (topics.COMMAND, f"{topics.SIGNAL_DOWN}/#", topics.RECEIPT, topics.STAFF)
_FLEET_READS = (topics.PRESENCE, topics.ABOUT, topics.HEALTH, topics.CONFIG_REPORTED, topics.FLEET_ANSWER)
_FLEET_WRITES = (topics.CONFIG_DESIRED, topics.FLEET_COMMAND)
"""Fleet managers have a command topic of their own: on the desk's they could claim to be any staff member."""

LIMITS = """\
use_username_as_clientid true
allow_zero_length_clientid false
set_tcp_nodelay true
max_packet_size 70000
max_queued_messages 200000
max_queued_bytes 268435456
max_inflight_messages 0
persistent_client_expiration 1d
"""

PLAIN = """\
# Made by `kiosk broker-config`. Without TLS: for this machine only.
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
"""

TLS = """\
# Made by `kiosk broker-config --ca`.
per_listener_settings true

# Kiosks, by certificate. After a revocation: `systemctl reload mosquitto`.
listener {port}
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
crlfile {folder}/crl.pem
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/kiosks.acl
use_username_as_clientid true

# Desks and fleet managers, by password.
listener {staff_port}
certfile {folder}/server.pem
keyfile {folder}/server.key
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/staff.acl
use_username_as_clientid true

# All of them.
"""

KEEPING = """\
user {user}
persistence true
persistence_location {folder}/
autosave_interval 1
log_dest stderr
log_type error
log_type warning
"""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who has a place at the broker. Several desks need an account each: two clients cannot share one.

    Raises ConfigError where a name is none (`/`, `+`, `#` and the like would reach into topics) or is given twice.
    """

    kiosks: tuple[str, ...]
    desks: tuple[str, ...] = ("desk",)
    fleet: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = (*self.kiosks, *self.staff)
        for name in names:
            check_name(name)
            if names.count(name) > 1:
                raise ConfigError(f"{name!r} is given twice: every kiosk, desk and fleet manager has its own name")

    @property
    def staff(self) -> tuple[str, ...]:
        return (*self.desks, *self.fleet)


def check_name(name: str) -> None:
    """Raises ConfigError where `name` is no id."""
    if not topics.ID.match(name):
        raise ConfigError(f"{name!r} is no name: 3 to 40 of the characters a-z, 0-9 and '-'")


def find_mosquitto() -> str:
    """Raises ConfigError where there is none."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if not found:
        raise ConfigError("Mosquitto is not installed; 'make demo' installs it from the system's packages")
    return found


def write_configuration(
    folder: Path, port: int, kiosks: list[str], desk: str | tuple[str, ...] = "desk", fleet: tuple[str, ...] = ()
) -> Path:
    """For one machine: loopback, an account with a password each (`folder/NAME.password`, 0600). Its path.

    Raises:
        ConfigError: a name is none, or is given twice.
    """
    accounts = Accounts(tuple(kiosks), (desk,) if isinstance(desk, str) else desk, fleet)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _write_passwords(folder, (*accounts.kiosks, *accounts.staff))
    write_secret(folder / "acl", KIOSK_RULES + staff_rules(accounts))
    return _write(folder, PLAIN.format(port=port, folder=folder), getpass.getuser())


def write_site(
    folder: Path, port: int, staff_port: int, accounts: Accounts, user: str, revoked: tuple[str, ...] = ()
) -> Path:
    """For a site: TLS, certificates for kiosks (made by `authority`), passwords for desks and fleet managers. Its path.

    Passwords that are there stay. `user` is whom Mosquitto runs as. `revoked` kiosks are denied everything: Mosquitto
    looks at certificates only when somebody connects, and at the rules for each message.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _write_passwords(folder, accounts.staff)
    denied = "".join(f"\n# Revoked.\nuser {name}\ntopic deny #\n" for name in revoked)
    write_secret(folder / "kiosks.acl", KIOSK_RULES + denied)
    write_secret(folder / "staff.acl", staff_rules(accounts))
    return _write(folder, TLS.format(port=port, staff_port=staff_port, folder=folder), user)


def staff_rules(accounts: Accounts) -> str:
    desks = [_rules_of(name, _DESK_READS, _DESK_WRITES) for name in accounts.desks]
    return "".join(desks + [_rules_of(name, _FLEET_READS, _FLEET_WRITES) for name in accounts.fleet])


def _rules_of(name: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> str:
    lines = [f"topic read {topics.ROOT}/+/{kind}\n" for kind in reads]
    lines += [f"topic write {topics.ROOT}/+/{kind}\n" for kind in writes]
    return f"\nuser {name}\n" + "".join(lines)


def _write(folder: Path, listeners: str, user: str) -> Path:
    path = folder / "mosquitto.conf"
    path.write_text(listeners + LIMITS + KEEPING.format(folder=folder, user=user))
    return path


def _write_passwords(folder: Path, names: tuple[str, ...]) -> None:
    lines = []
    for name in names:
        path = folder / f"{name}.password"
        password = path.read_text() if path.exists() else secrets.token_urlsafe(24)
        write_secret(path, password)
        lines.append(f"{name}:{hash_password(password)}\n")
    write_secret(folder / "passwords", "".join(lines))


def hash_password(password: str) -> str:
    """As mosquitto 2 keeps them: PBKDF2 with SHA-512, `$7$iterations$salt$hash`."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write_secret(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
