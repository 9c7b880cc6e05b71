"""Everything a site's broker needs, in one folder; what is there stays, so that kiosks can be added later.

mosquitto.conf  kiosks.acl  staff.acl  passwords  server.pem  server.key  ca.pem  crl.pem     for Mosquitto
NAME.password                                                                                 for each desk, manager
kiosks/NAME/{certificate.pem, key.pem, ca.pem}                                                for each kiosk
authority/                                                                                    for nobody: keep it safe
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from kiosk.errors import ConfigError
from kiosk.fleet.authority import Authority, Identity
from kiosk.fleet.broker import Accounts, write_secret, write_site

FOR_MOSQUITTO = ("kiosks.acl", "staff.acl", "passwords", "server.pem", "server.key", "ca.pem", "crl.pem")


def write_with_authority(
    folder: Path,
    accounts: Accounts,
    hosts: tuple[str, ...],
    *,
    port: int = 8883,
    staff_port: int = 8884,
    user: str = "mosquitto",
    revoke: tuple[str, ...] = (),
) -> Path:
    """Writes all of it; the path of mosquitto.conf. A kiosk that is revoked must not be among the accounts.

    Raises:
        ConfigError: a name is none or was revoked, there is no such user, or the authority cannot be read.
    """
    if again := set(revoke) & set(accounts.kiosks):
        raise ConfigError(f"{sorted(again)[0]!r} cannot be both revoked and let in; a new one gets a new name")
    authority = Authority.open(folder / "authority")
    for name in revoke:
        if not authority.revoke(name):
            raise ConfigError(f"{name!r} has no certificate of this authority")
        shutil.rmtree(folder / "kiosks" / name, ignore_errors=True)
    revoked = authority.revoked()
    if again := set(revoked) & set(accounts.kiosks):
        raise ConfigError(f"{sorted(again)[0]!r} was revoked: whatever has its name may be the stolen one")
    path = write_site(folder, port, staff_port, accounts, user, revoked)
    for name in ("ca.pem", "crl.pem"):
        shutil.copyfile(folder / "authority" / name, folder / name)
    if not (folder / "server.key").exists():
        _write_identity(authority.server(hosts), folder / "server.pem", folder / "server.key")
    for kiosk in accounts.kiosks:
        _write_kiosk(folder / "kiosks" / kiosk, authority, kiosk)
    _hand_over(folder, user)
    return path


def _write_kiosk(folder: Path, authority: Authority, kiosk: str) -> None:
    if (folder / "key.pem").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.pem").write_text(authority.certificate)
    _write_identity(authority.kiosk(kiosk), folder / "certificate.pem", folder / "key.pem")


def _write_identity(identity: Identity, certificate: Path, key: Path) -> None:
    certificate.write_text(identity.certificate)
    write_secret(key, identity.key)


def _hand_over(folder: Path, user: str) -> None:
    """Mosquitto gives up its rights before it reads its files again: they must be its own."""
    if os.geteuid() != 0:
        return
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"there is no user {user!r} here; --user names whom Mosquitto runs as") from None
    for name in FOR_MOSQUITTO:
        shutil.chown(folder / name, user)
    shutil.chown(folder, user)
