"""A Mosquitto of our own: loopback, generated configuration, the same accounts and rules as at a real site."""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from kiosk.errors import ConfigError

ITERATIONS = 101
"""What mosquitto_passwd itself uses; the accounts here live as long as the demo."""

ACL = """\
# A kiosk (user name = kiosk id) writes and reads below its own id only.
pattern write kiosk/1/%u/presence
pattern write kiosk/1/%u/up/#
pattern read kiosk/1/%u/down/#

user {desk}
topic read kiosk/1/+/presence
topic read kiosk/1/+/up/#
topic write kiosk/1/+/down/command
topic write kiosk/1/+/down/signal/#
topic write kiosk/1/+/down/receipt
"""

CONFIGURATION = """\
listener {port} 127.0.0.1
user {user}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
use_username_as_clientid true
set_tcp_nodelay true
max_packet_size 70000
persistence true
persistence_location {folder}/
autosave_interval 1
log_dest stderr
log_type error
log_type warning
"""


def find_mosquitto() -> str:
    """Raises ConfigError where there is none."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if not found:
        raise ConfigError("Mosquitto is not installed; 'make demo' installs it from the system's packages")
    return found


def write_configuration(folder: Path, port: int, kiosks: list[str], desk: str = "desk") -> Path:
    """Writes configuration, accounts and rules; each account's password lies in `folder/NAME.password` (0600)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in (*kiosks, desk):
        password = secrets.token_urlsafe(24)
        write_secret(folder / f"{name}.password", password)
        lines.append(f"{name}:{hash_password(password)}\n")
    write_secret(folder / "passwords", "".join(lines))
    write_secret(folder / "acl", ACL.format(desk=desk))
    path = folder / "mosquitto.conf"
    path.write_text(CONFIGURATION.format(port=port, folder=folder, user=getpass.getuser()))
    return path


def hash_password(password: str) -> str:
    """As mosquitto 2 keeps them: PBKDF2 with SHA-512, `$7$iterations$salt$hash`."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def write_secret(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
