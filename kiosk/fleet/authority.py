"""A small certificate authority for one site: certificates for the broker and each kiosk, and the revoked ones.

P-256 throughout. Everything starts 24 h ago: a kiosk has no clock of its own, and its time may still be a little off.
The authority's key should not lie on the broker's machine for longer than it is needed.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.errors import ConfigError
from kiosk.fleet.broker import check_name, write_secret

BACKDATED = timedelta(hours=24)
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825

_SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
_PROVES = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Keeps `ca.pem`, `ca.key` (0600), `crl.pem` and a copy of each certificate it made in `issued/`."""

    def __init__(self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder, self._certificate, self._key = folder, certificate, key

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The authority of this folder, made where there is none. Raises ConfigError where it cannot be read."""
        (folder / "issued").mkdir(parents=True, exist_ok=True)
        if (folder / "ca.pem").exists():
            return cls._load(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Kiosk site authority")
        builder = _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.add_extension(_SIGNS, critical=True).sign(key, hashes.SHA256())
        write_secret(folder / "ca.key", _key_text(key))
        authority = cls(folder, certificate, key)
        authority._write_revoked(())
        (folder / "ca.pem").write_text(authority.certificate)  # last: now it is complete
        return authority

    @classmethod
    def _load(cls, folder: Path) -> Self:
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{folder}: the authority cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{folder}/ca.key: not a P-256 key")
        return cls(folder, certificate, key)

    @property
    def certificate(self) -> str:
        return _text(self._certificate)

    def kiosk(self, kiosk: str, days: int = CERTIFICATE_DAYS) -> Identity:
        """For a kiosk: its id is the common name, which the broker takes as its user name. Raises ConfigError."""
        check_name(kiosk)
        return self._issue(kiosk, ExtendedKeyUsageOID.CLIENT_AUTH, (), days)

    def server(self, hosts: tuple[str, ...], days: int = CERTIFICATE_DAYS) -> Identity:
        """For the broker: the names and addresses that clients reach it by. Raises ConfigError where there is none."""
        if not hosts:
            raise ConfigError("the broker's certificate needs a host name or address")
        return self._issue(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, tuple(_host(h) for h in hosts), days)

    def revoke(self, kiosk: str) -> int:
        """Takes back every certificate of this kiosk; how many there were. The broker reads the list when reloaded."""
        check_name(kiosk)
        mine = [x509.load_pem_x509_certificate(p.read_bytes()) for p in self._folder.glob(f"issued/{kiosk}.*.pem")]
        self._write_revoked((*self._revoked(), *(c.serial_number for c in mine)))
        return len(mine)

    def revoked(self) -> tuple[str, ...]:
        """The kiosks that certificates were taken back of."""
        serials = {f"{serial:x}" for serial in self._revoked()}
        issued = (path.name.removesuffix(".pem").partition(".") for path in self._folder.glob("issued/*.pem"))
        return tuple(sorted({name for name, _, serial in issued if serial in serials}))

    def _issue(
        self, common_name: str, usage: x509.ObjectIdentifier, hosts: tuple[x509.GeneralName, ...], days: int
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._certificate.subject, key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_PROVES, critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        (self._folder / "issued" / f"{common_name}.{certificate.serial_number:x}.pem").write_text(_text(certificate))
        return Identity(_text(certificate), _key_text(key))

    def _revoked(self) -> tuple[int, ...]:
        return tuple(r.serial_number for r in x509.load_pem_x509_crl((self._folder / "crl.pem").read_bytes()))

    def _write_revoked(self, serials: tuple[int, ...]) -> None:
        now = datetime.now(UTC) - BACKDATED
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._certificate.subject)
        # As long as the authority lives: a broker refuses everybody when its list has run out.
        builder = builder.last_update(now).next_update(now + timedelta(days=AUTHORITY_DAYS))
        for serial in sorted(set(serials)):
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        listed = builder.sign(self._key, hashes.SHA256())
        (self._folder / "crl.pem").write_bytes(listed.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - BACKDATED
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise ConfigError(f"{host!r} is no host name: {error}") from error


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    how = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, how, serialization.NoEncryption()).decode()
