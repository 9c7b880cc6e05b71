"""The JSON API for signed-in people: sessions, commands, kiosks, files, live updates."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from desk.bodies import json_body, key_of, raw_json
from desk.config import Member
from desk.files.serve import file_response
from desk.files.store import Files
from desk.files.uploads import ArtifactView, Uploads
from desk.notifications.told import told_of, told_people, was_told
from desk.people.guard import People
from desk.problems import Problem, not_found
from desk.sessions.commands import Commands
from desk.sessions.consents import ConsentCheck
from desk.sessions.kiosks import Kiosks
from desk.sessions.live import Hub
from desk.sessions.ratings import Rated, rating_of
from desk.sessions.store import KioskView, Store, people_of
from desk.sessions.visible import known_session, visible_session
from desk.sessions.wanted import Wanted, WantedKiosks, seconds, words_of
from kiosk.errors import Malformed, NotAssigned
from kiosk.session import inputs
from kiosk.session.record import LongText, Person, Session, Ticket
from kiosk.session.states import State
from kiosk.wire.codec import MAX_COMMAND, decode
from kiosk.wire.messages import Answer, Guard, SeenBy

T = TypeVar("T")
EARLIER = 10
MaybeId = Annotated[str, Meta(pattern=r"^([a-z0-9-]{3,40})?$")]
"""Or none: msgspec holds everything in `Id | Literal[""]` against the pattern."""

AnyRequest = Request[Any, Any, Any]


class Me(Struct, frozen=True):
    id: str
    name: str
    role: str
    language: str


class Sessions(Struct, frozen=True):
    """after: what the next page is asked for with; empty: that was all. told: of which of these requests the reader was
    told because nobody else had reacted: they wait for him as well."""

    sessions: list[Session]
    after: str = ""
    told: list[str] = []


class KioskList(Struct, frozen=True):
    """after: as with sessions."""

    kiosks: list[KioskView]
    after: str = ""


class PeopleList(Struct, frozen=True):
    people: list[Person]


class Earlier(Struct, frozen=True):
    id: str
    state: State
    created_at: str
    reason: str


class Details(Struct, frozen=True):
    session: Session
    kiosk: KioskView
    earlier: list[Earlier]
    artifacts: dict[str, ArtifactView]
    consents: ConsentCheck = ConsentCheck()
    rating: Rated | None = None
    """What the code user said on the page behind the QR code; what was said at the machine is in the session."""
    told: list[Person] = []
    """Who was told of it because nobody else had reacted."""


class NewSession(Struct, frozen=True):
    """At the kiosk, or at the one that is attached to the device."""

    kiosk: MaybeId = ""
    device: MaybeId = ""
    reason: LongText = ""
    tickets: Annotated[tuple[Ticket, ...], Meta(max_length=20)] = ()


class Created(Struct, frozen=True):
    session: str


class Wish(Struct, frozen=True):
    """A command, and what the page saw when it was wished for."""

    do: inputs.Command
    guard: Guard = Guard()


@get("/api/me")
async def who_am_i(me: NamedDependency[Member], people: NamedDependency[People]) -> Me:
    return Me(me.id, me.name, me.role.value, people.language(me))


@get("/api/sessions")
async def list_sessions(
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    states: Annotated[list[State] | None, QueryParameter(name="state")] = None,
    mine: FromQuery[bool] = False,
    kiosk: FromQuery[str] = "",
    device: FromQuery[str] = "",
    provider: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    q: Annotated[str, QueryParameter(max_length=200)] = "",
    after: Annotated[str, QueryParameter(max_length=100)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> Sessions:
    """Newest first; staff see what they were asked for, are assigned to or were told of, moderators all. `mine`: what
    one is responsible for. `since`, `until`: created in that time (ISO 8601). `q`: words in reason, names, tickets,
    device."""
    wanted = Wanted(
        seen_by=None if me.moderates else me.id,
        assigned=me.id if mine else "",
        states=tuple(state.value for state in states or ()),
        kiosk=kiosk,
        device=device,
        provider=provider,
        since_s=seconds("since", since),
        until_s=seconds("until", until),
        words=words_of(q),
        after=after,
        limit=limit,
    )
    page = await store.sessions(wanted)
    waiting = [s.id for s in page.sessions if s.state is State.REQUESTED]
    return Sessions(page.sessions, page.after, await told_of(store.transactions, waiting, me.id))


@get("/api/sessions/{session_id:str}")
async def session_details(
    store: NamedDependency[Store],
    uploads: NamedDependency[Uploads],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> Details:
    session = await visible_session(store, me, session_id)
    kiosk = await store.kiosk(session.kiosk) or KioskView(session.kiosk, online=False)
    if kiosk.device is None:
        kiosk = msgspec.structs.replace(kiosk, device=session.device)
    earlier = [Earlier(s.id, s.state, s.created_at, s.reason) for s in await store.earlier(session, EARLIER)]
    consents = await store.consent_check(session_id)
    rated = await rating_of(store.transactions, session_id)
    told = await told_people(store.transactions, session_id, people_of(session))
    return Details(session, kiosk, earlier, await uploads.views(session), consents, rated, told)


@post("/api/sessions")
async def create_session(
    request: AnyRequest,
    store: NamedDependency[Store],
    commands: NamedDependency[Commands],
    me: NamedDependency[Member],
) -> Created:
    new = await json_body(request, NewSession)
    answer = await commands.send(
        me, await _kiosk_for(store, new), inputs.Create(new.reason, new.tickets), key=key_of(request)
    )
    return Created(_done(answer).session)


@post("/api/sessions/{session_id:str}/commands", status_code=200)
async def command_session(
    request: AnyRequest,
    store: NamedDependency[Store],
    commands: NamedDependency[Commands],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> Answer:
    wish = await _wish(request)
    if isinstance(wish.do, inputs.Create):
        raise Problem(400, "malformed", "sessions are created by POST /api/sessions")
    session = await known_session(store, session_id)
    answer = await commands.send(me, session.kiosk, wish.do, session, wish.guard, key_of(request))
    return _done(answer)


@post("/api/sessions/{session_id:str}/seen", status_code=204)
async def see_session(
    kiosks: NamedDependency[Kiosks],
    store: NamedDependency[Store],
    me: NamedDependency[Member],
    session_id: FromPath[str],
) -> None:
    """The person looked at it. Told once; where the kiosk is away now, the next look tells it."""
    session = await known_session(store, session_id)
    told = session.has_staff(me.id) or me.moderates or await was_told(store.transactions, session_id, me.id)
    if not told:
        raise NotAssigned(f"{me.name} is not assigned to this session")
    if all(p.id != me.id for p in session.seen_by):
        await kiosks.receipt(session.kiosk, SeenBy(session=session.id, person=Person(me.id, me.name)))


@get("/api/kiosks")
async def list_kiosks(
    store: NamedDependency[Store],
    q: Annotated[str, QueryParameter(max_length=200)] = "",
    device: FromQuery[str] = "",
    provider: FromQuery[str] = "",
    online: FromQuery[bool | None] = None,
    after: Annotated[str, QueryParameter(max_length=40)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 500,
) -> KioskList:
    """By the name of their devices. `q`: words in names and ids."""
    words = words_of(q)
    wanted = WantedKiosks(words=words, device=device, provider=provider, online=online, after=after, limit=limit)
    return KioskList(*await store.kiosks(wanted))


@get("/api/sessions/{session_id:str}/artifacts/{artifact_id:str}")
async def artifact_file(
    request: AnyRequest,
    store: NamedDependency[Store],
    files: NamedDependency[Files],
    me: NamedDependency[Member],
    session_id: FromPath[str],
    artifact_id: FromPath[str],
    download: FromQuery[bool] = False,
) -> Response[Any]:
    session = await visible_session(store, me, session_id)
    artifact = next((a for a in session.artifacts if a.id == artifact_id), None)
    file = await store.file(session_id, artifact_id, artifact.sha256) if artifact else None
    if artifact is None or file is None:
        raise not_found("file")
    return file_response(request, files, file, artifact, download)


@get("/api/people")
async def list_people(people: NamedDependency[People]) -> PeopleList:
    """Who may sign in, and so may be assigned."""
    return PeopleList([Person(member.id, member.name) for member in await people.all()])


@get("/api/events")
async def events(
    request: AnyRequest, hub: NamedDependency[Hub], people: NamedDependency[People], me: NamedDependency[Member]
) -> Stream:
    """server-sent events: hello, session, presence, gone. They end for whoever is signed out meanwhile, or whose roles
    are other ones."""
    if hub.full:
        raise Problem(503, "full", "too many pages are open", {"Retry-After": "5"})
    hello = Me(me.id, me.name, me.role.value, people.language(me))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

    async def still() -> bool:
        now = await people.who(request)
        return now is not None and now.member.ranks == me.ranks

    # events are encoded once for all listeners; Litestar's ServerSentEvent would do it again for each
    told = hub.stream(me.id, me.moderates, hello, still=still)
    return Stream(told, media_type="text/event-stream", headers=headers)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    who_am_i,
    list_sessions,
    session_details,
    create_session,
    command_session,
    see_session,
    list_kiosks,
    list_people,
    artifact_file,
    events,
)


async def _kiosk_for(store: Store, new: NewSession) -> str:
    if bool(new.kiosk) == bool(new.device):
        raise Problem(400, "malformed", "say either the kiosk or the device")
    if new.kiosk:
        if await store.kiosk(new.kiosk) is None:
            raise not_found("kiosk")
        return new.kiosk
    kiosks, _ = await store.kiosks(WantedKiosks(device=new.device, limit=2))
    if len(kiosks) != 1:
        found = "several kiosks are attached to this device" if kiosks else "no kiosk is attached to this device"
        raise Problem(404, "not_found", found)
    return kiosks[0].id


def _done(answer: Answer) -> Answer:
    if answer.ok:
        return answer
    raise Problem(409, answer.code or "refused", answer.text, body=answer)


async def _wish(request: AnyRequest) -> Wish:
    """{"do": command, "guard": ...}, or the plain command."""
    body = await raw_json(request)
    try:
        return decode(body, Wish, MAX_COMMAND)
    except Malformed:
        if b'"do"' in body:
            raise
    return Wish(decode(body, inputs.Command, MAX_COMMAND))
