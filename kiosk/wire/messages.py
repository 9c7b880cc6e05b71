"""What is said over MQTT. Every message carries `v`; ids are `[a-z0-9-]{3,40}`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.session import inputs
from kiosk.session.provider import Article, Provider
from kiosk.session.record import Actor, Device, Id, LongText, Person, Session, Sha256, Text
from kiosk.session.states import State
from kiosk.wire.codec import MAX_SDP, VERSION

V = Literal[1]
Count = Annotated[int, Meta(ge=0, lt=2**31)]
"""What every database holds in a plain integer: a larger one from outside must not reach any."""

MAX_BYTES = 2**53
MAX_HELD = 1500
"""So many ids fit into one message, whatever their length."""

STAFF_GOOD_S = 150
"""Somebody of the staff who was told to be there is there for so long; desks say it each minute."""
Sdp = Annotated[str, Meta(min_length=10, max_length=MAX_SDP)]
OfferId = Annotated[str, Meta(pattern="^[a-z0-9-]{0,40}$")]


class Presence(Struct, frozen=True):
    """Retained, and the kiosk's will. A will whose (boot, connection) is not the newest told is ignored.

    `held`: every session that the kiosk holds, as the `n`th message of this boot says; None says nothing about it. A
    session that is not over at the desk and is not held by the newest `n` is lost: it was never on disk when the power
    went, or the disk is another one. One message of one topic, so that no order between topics matters; a session is
    told after a presence that holds it.
    """

    online: bool
    boot: Id
    connection: Count
    n: Count = 0
    held: Annotated[tuple[Id, ...], Meta(max_length=MAX_HELD)] | None = None
    v: V = VERSION


class About(Struct, frozen=True):
    """`staff`: the ids of those who are responsible for the device."""

    device: Device
    software: Text
    hardware: Text
    language: Text = "de"
    capabilities: tuple[Text, ...] = ()
    staff: Annotated[tuple[Id, ...], Meta(max_length=MAX_HELD)] = ()
    v: V = VERSION


class ArticleTold(Article, frozen=True, forbid_unknown_fields=False):
    """`text` is empty where not all of them fit into one message."""


class InForce(Provider, frozen=True, forbid_unknown_fields=False):
    """What the provider has decided for this kiosk, as it is in force. Retained; told at each connect."""

    articles: tuple[ArticleTold, ...] = ()
    v: V = VERSION


class Health(Struct, frozen=True):
    """`parts` maps each part to "ok" or a sentence that says what is wrong with it."""

    uptime_s: float
    parts: dict[str, str]
    v: V = VERSION


class SessionTold(Struct, frozen=True):
    """The session document, whole and retained."""

    session: Session
    v: V = VERSION

    def __post_init__(self) -> None:
        """Refuses what no store could hold: decoding takes integers of any size."""
        if not 0 <= self.session.rev < 2**31 or any(a.bytes >= MAX_BYTES for a in self.session.artifacts):
            raise ValueError("a number is out of range")


class Guard(Struct, frozen=True):
    """What the sender saw; a command whose guard does not fit (any more) is refused and changes nothing."""

    state: State | None = None
    rev: Count | None = None


class Command(Struct, frozen=True):
    """A wish of staff, sent by the desk which has authenticated them. `session` is empty for `create`."""

    id: Id
    actor: Actor
    do: inputs.Command
    session: str = ""
    guard: Guard = Guard()
    v: V = VERSION


class Answer(Struct, frozen=True):
    """done, or refused with the code of an error (kiosk.errors) and a sentence."""

    id: Id
    ok: bool
    session: str = ""
    rev: Count = 0
    state: State | None = None
    code: str = ""
    text: LongText = ""
    v: V = VERSION


class _Signal(Struct, frozen=True, tag_field="kind", kw_only=True):
    peer: Id  # one participant's connection; drawn by the desk, never guessed (128 bit)
    v: V = VERSION


class Ice(Struct, frozen=True):
    """A STUN or TURN server, in the form that browsers take. The credential is good for a time; never logged."""

    urls: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=6)]
    username: Annotated[str, Meta(max_length=200)] = ""
    credential: Annotated[str, Meta(max_length=200)] = ""

    def __repr__(self) -> str:
        return f"Ice({', '.join(self.urls)})"


class Offer(_Signal, tag="offer", frozen=True, kw_only=True):
    """A participant offers. A new offer under the same peer replaces its connection.

    `ice` is for the kiosk's side of this connection; settings of its own go before it. `id` is named again by the
    answer: an offer may be repeated in another form before the first one's answer has come.
    """

    actor: Actor
    sdp: Sdp
    id: OfferId = ""
    ice: Annotated[tuple[Ice, ...], Meta(max_length=4)] = ()


class AnswerSdp(_Signal, tag="answer", frozen=True, kw_only=True):
    sdp: Sdp
    offer: OfferId = ""


class Candidate(_Signal, tag="candidate", frozen=True, kw_only=True):
    """Trickled by the participant. An empty `candidate` is the end of candidates."""

    candidate: Annotated[str, Meta(max_length=500)]
    mid: Annotated[str, Meta(max_length=20)] = ""


class Restart(_Signal, tag="restart", frozen=True, kw_only=True):
    """The participant looks for another way under the same connection (ICE restart; RFC 9725, section 4.3.3).

    `fragment` is a trickle-ice-sdpfrag with a new ufrag and pwd. The answer is an `answer` whose `sdp` is such a
    fragment as well and whose `offer` is this `id`, or a `bye` with a code, which leaves the connection as it was.
    """

    fragment: Sdp
    id: OfferId


class Bye(_Signal, tag="bye", frozen=True, kw_only=True):
    """The connection is over, or (from the kiosk) was refused with a code and a sentence; then `offer` says which."""

    code: str = ""
    text: LongText = ""
    offer: OfferId = ""


SignalDown = Offer | Candidate | Restart | Bye
SignalUp = AnswerSdp | Bye


class _Receipt(Struct, frozen=True, tag_field="kind", kw_only=True):
    session: Id
    v: V = VERSION


class Stored(_Receipt, tag="stored", frozen=True, kw_only=True):
    """The desk has this revision in its database."""

    epoch: str
    rev: Count


class Outdated(_Receipt, tag="outdated", frozen=True, kw_only=True):
    """The desk knows the session in a later epoch than this one, and has not taken what was told in it: the kiosk has
    lost what it told last (its disk took nothing when the power went). It goes on in a new epoch."""

    epoch: str


class UploadGrant(_Receipt, tag="upload-grant", frozen=True, kw_only=True):
    """Where one artifact goes. The address holds a token good for that artifact only."""

    artifact: Id
    sha256: Sha256
    url: Annotated[str, Meta(max_length=1000, pattern=r"^https?://")]


class ArtifactStored(_Receipt, tag="artifact-stored", frozen=True, kw_only=True):
    """Whole and verified at the desk; the kiosk may let go of its copy."""

    artifact: Id
    sha256: Sha256


class PublicLink(_Receipt, tag="public-link", frozen=True, kw_only=True):
    """Where the code user finds what is public of the session, for a limited time; shown as a QR code."""

    url: Annotated[str, Meta(max_length=1000, pattern=r"^https?://")]


class SeenBy(_Receipt, tag="seen-by", frozen=True, kw_only=True):
    person: Person


class StaffTold(Struct, frozen=True):
    """How many of the responsible staff have a page of this desk open. Retained; told at each change.

    A number above 0 is told again each minute and counts for MQTT's message expiry only: of a desk that died nobody is
    there. Several desks write the same topic, each for itself: somebody is there as long as one of them says so.
    """

    desk: Id
    present: Count
    v: V = VERSION


Receipt = Stored | Outdated | UploadGrant | ArtifactStored | PublicLink | SeenBy
