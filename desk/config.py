"""The desk's settings: one TOML file, strictly read. What is wrong is said with file and key.

Paths are taken as they stand, relative ones from where the desk is started. Secrets stand in files of their own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from desk.addresses import networks
from kiosk import settings
from kiosk.errors import ConfigError
from kiosk.session.record import Id, Text

Port = Annotated[int, Meta(ge=1, le=65535)]
Source = Annotated[str, Meta(pattern=r"^[^;,\s]+$")]
Language = Literal["de", "en"]


class Rank(StrEnum):
    """What somebody may do in the desk as a whole; what he may do in *one* session is judged by its record."""

    STAFF = "staff"
    MODERATOR = "moderator"
    FLEET_MANAGER = "fleet_manager"
    ADMINISTRATOR = "administrator"


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Http(_Section, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """0: any free one (then `public_url` is best left out)."""
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#\s]+)?/?$")] = ""
    """What people and kiosks reach the desk by; left out: http://host:port."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies whose X-Forwarded-For is believed."""
    frame_ancestors: Source | tuple[Source, ...] = ()
    """Whose pages may show the desk's in a frame (sources as in a Content-Security-Policy); left out: nobody's."""


class Broker(_Section, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: Port = 1883
    user: str = "desk"
    password_file: str = ""
    ca_file: str = ""  # given: TLS
    client_id: str = ""
    """Left out: drawn anew at each start. Under our Mosquitto configuration the user name stands in its place: there
    each of several desks has an account of its own."""
    keepalive_s: Annotated[int, Meta(ge=2, le=300)] = 30


Email = Annotated[str, Meta(pattern=r"^[^@\s<>\",;]{1,64}@[^@\s<>\",;]{1,180}$")]
MaybeEmail = Annotated[str, Meta(pattern=r"^([^@\s<>\",;]{1,64}@[^@\s<>\",;]{1,180})?$")]
"""Or none: msgspec holds everything in `Email | Literal[""]` against the pattern."""


class Member(_Section, frozen=True, kw_only=True):
    """Somebody who may sign in. In the settings: who has an account without being invited."""

    id: Id
    name: Text
    role: Rank = Rank.STAFF
    language: Language | None = None
    email: MaybeEmail = ""
    roles: tuple[Rank, ...] = ()
    """All of them, where there are several; left out: `role`."""

    @property
    def ranks(self) -> frozenset[Rank]:
        return frozenset(self.roles or (self.role,))

    @property
    def moderates(self) -> bool:
        return bool(self.ranks & {Rank.MODERATOR, Rank.ADMINISTRATOR})

    @property
    def helps(self) -> bool:
        """Whether sessions are this person's work."""
        return bool(self.ranks - {Rank.FLEET_MANAGER})

    @property
    def administers(self) -> bool:
        return Rank.ADMINISTRATOR in self.ranks


class SignIn(_Section, frozen=True, kw_only=True):
    """How people sign in, and for how long."""

    idle_hours: Annotated[float, Meta(gt=0)] = 12
    """Whom nothing was heard of for so long is signed out."""
    most_days: Annotated[float, Meta(gt=0)] = 7
    second_factor_for: tuple[Rank, ...] = ()
    """Whoever has one of these roles must set a second factor up before anything else."""


HttpsUrl = Annotated[str, Meta(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])[^\s?#]*$")]


class Oidc(_Section, frozen=True, kw_only=True):
    """Single sign-on by OpenID Connect (code flow with PKCE)."""

    issuer: HttpsUrl
    client_id: str
    client_secret_file: str = ""
    label: Text = "Single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    id_claim: str = "preferred_username"
    """Becomes the account's id, by which kiosks know staff."""
    roles_claim: str = "groups"
    roles: dict[str, tuple[Rank, ...]] = {}
    """A value of that claim -> the roles it gives."""
    everybody: tuple[Rank, ...] = ()
    """Roles of everybody who comes from there. Who has none at all is not let in."""


IceUrl = Annotated[str, Meta(pattern=r"^(stun|stuns|turn|turns):[^\s<>\",;]+$", max_length=300)]


class IceServer(_Section, frozen=True, kw_only=True):
    """A STUN or TURN server. TURN wants either `username` and `credential_file`, or `secret_file` alone."""

    urls: Annotated[tuple[IceUrl, ...], Meta(min_length=1, max_length=6)]
    username: Annotated[str, Meta(pattern=r'^[^"\\]*$')] = ""
    credential_file: str = ""
    secret_file: str = ""
    """The secret shared with the TURN server: everybody who asks gets a credential of his own, good for a time."""
    lifetime_s: Annotated[int, Meta(ge=60, le=7 * 86400)] = 12 * 3600

    def __post_init__(self) -> None:
        if self.secret_file and (self.username or self.credential_file):
            raise ValueError("`secret_file` stands alone, without `username` and `credential_file`")


class Webhooks(_Section, frozen=True, kw_only=True):
    """Where other programs may be that are told of changes."""

    networks: tuple[str, ...] = ()
    """Private networks that webhooks may lead to; left out: public addresses only."""
    ca_file: str = ""
    """Whom to believe beside those that the system does: a site's own certificates."""

    def __post_init__(self) -> None:
        networks(self.networks)


class Database(_Section, frozen=True, kw_only=True):
    """Where the desk's memory is, for what is not SQLite in `data`."""

    url: str
    """As `database` itself; without a password."""
    password_file: str = ""
    """Left out: what the environment gives (PGPASSWORD, ~/.pgpass), or none is needed."""


class CallSettings(_Section, frozen=True, kw_only=True):
    ice_servers: Annotated[tuple[IceServer, ...], Meta(max_length=4)] = ()
    """Told to participants, and with each offer to the kiosk."""


class FileSettings(_Section, frozen=True, kw_only=True):
    """Where whole, verified files are kept, and where partial ones grow."""

    url: Annotated[str, Meta(pattern=r"^((s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9/._-]*)?)|(file:///.+))?$")] = ""
    """s3://bucket/prefix or file:///folder; left out: `files` in `data`."""
    endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")] = ""
    """Of an S3 that is not Amazon's."""
    region: str = "us-east-1"
    key_id_file: str = ""
    """With `key_file`; both left out: what the machine's environment gives (a role)."""
    key_file: str = ""
    partial_folder: str = ""
    """Left out: `partial` in `data`. Desks on several machines share one, or an upload that comes to another of them
    begins anew."""
    partial_days: Annotated[float, Meta(gt=0)] = 14
    """So long is the beginning of a file kept after its kiosk could have gone on with it (a grant holds for a day)."""


Schema = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{1,19}$")]
APPRISE = (
    *("mailto", "mailtos", "ntfys", "slack", "discord", "workflows", "tgram", "signals", "matrixs", "mmosts"),
    *("rockets", "gchat", "wxteams", "zulip", "pover", "gotifys", "jsons"),
)
"""What people may enter unless the settings say otherwise: encrypted ways only, and e-mail."""


class Channel(_Section, frozen=True, kw_only=True):
    """A place of the whole desk that is told: a team's chat, a pager."""

    address_file: str
    """Holds an address for Apprise."""
    at: Literal["request", "escalation"] = "request"
    language: Language | None = None


class Notifications(_Section, frozen=True, kw_only=True):
    """How people are told who have no page open."""

    escalate_minutes: Annotated[float, Meta(ge=0, le=1440)] = 5
    """After so long without a reaction the next group is told; 0: never."""
    escalate_to: Annotated[tuple[Literal["moderators", "staff"], ...], Meta(max_length=4)] = ("moderators",)
    schemas: tuple[Schema, ...] = APPRISE
    """Which kinds of Apprise's addresses people may enter; an empty list: none at all."""
    networks: tuple[str, ...] = ()
    """Private networks that people's addresses may lead to; left out: public ones only."""
    mail_file: str = ""
    """Holds Apprise's address of the mail server that the desk writes to people by, without a recipient."""
    contact: MaybeEmail = ""
    """Whom push services may write to about this desk; left out: its public address is told."""
    channels: Annotated[tuple[Channel, ...], Meta(max_length=20)] = ()

    def __post_init__(self) -> None:
        networks(self.networks)


Days = Annotated[float, Meta(gt=0)]


class Retention(_Section, frozen=True, kw_only=True):
    """How long files are kept, by kind, counted from when the desk had them. Left out: for ever."""

    provider: Text = ""
    """As kiosks tell it; left out: of all that no other section names."""
    recordings_days: Days | None = None
    """With their timelines and films."""
    films_days: Days | None = None
    """Recordings with drawings burned in: they can be made again as long as the recording is there."""
    snapshots_days: Days | None = None
    """With their layers."""
    session_data_days: Days | None = None


class Config(_Section, frozen=True, kw_only=True):
    http: Http = Http()
    broker: Broker = Broker()
    data: str = "data"
    database: str | Database = ""
    """A path (SQLite) or postgresql://user@host/name, alone or as `url` of a section; left out: desk.sqlite in
    `data`."""
    language: Language = "en"
    secret_file: str = ""
    """Left out: `secret` in `data`."""
    people: tuple[Member, ...] = ()
    sign_in: SignIn = SignIn()
    oidc: Oidc | None = None
    call: CallSettings = CallSettings()
    files: FileSettings = FileSettings()
    webhooks: Webhooks = Webhooks()
    notifications: Notifications = Notifications()
    retention: tuple[Retention, ...] = ()

    @property
    def secret_path(self) -> Path:
        return Path(self.secret_file) if self.secret_file else Path(self.data) / "secret"

    @property
    def url(self) -> str:
        """The public address without a slash at its end."""
        return self.http.public_url.rstrip("/") or f"http://{self.http.host}:{self.http.port}"


def load(path: Path) -> Config:
    """The settings in `path`.

    Raises:
        ConfigError: the file is not there, is no TOML, or a key is unknown, missing or of the wrong kind.
    """
    config = settings.load(path, Config)
    ids = [p.id for p in config.people]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice:
        raise ConfigError(f"{path}: people: the id {twice!r} is there twice")
    providers = [r.provider for r in config.retention]
    if len(set(providers)) < len(providers):
        raise ConfigError(f"{path}: retention: a provider is there twice")
    emails = [p.email.casefold() for p in config.people if p.email]
    if len(set(emails)) < len(emails):
        raise ConfigError(f"{path}: people: an e-mail address is there twice")
    return config


def signing_secret(path: Path) -> bytes:
    """The secret that links, cookies and tokens are signed with; made (0600) where there is none yet.

    Raises:
        ConfigError: it can neither be read nor made, or is too short to be a secret.
    """
    try:
        with contextlib.suppress(FileExistsError):
            _make_secret(path)
        secret = path.read_text().strip().encode()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(secret) < 32:
        raise ConfigError(f"{path}: shorter than 32 characters; delete it and a new one is made")
    return secret


def _make_secret(path: Path) -> None:
    """Beside the target and then linked to it: a power cut leaves no half secret, and of two starts one wins."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
