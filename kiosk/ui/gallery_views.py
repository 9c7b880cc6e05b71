"""A view for every screen: for the gallery and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from kiosk.hw.ports import Picture
from kiosk.session.flow import Flow, begin
from kiosk.session.provider import Article, Provider
from kiosk.session.record import Actor, Change, Consent, Device, Person, Rating, Recording, Ringing, Session, Ticket
from kiosk.session.states import Event, Role, State
from kiosk.ui.local import Front
from kiosk.ui.screens import key_of
from kiosk.ui.view import CallView, SnapshotView, View
from kiosk.wire.overlay import EditShape, MarkShape, Overlay, PointerShape, StrokeShape

Sample = tuple[str, View, Front]

ANNA = Person("anna", "Anna Schmidt")
YELLOW, PINK, GREEN = "#ffd23f", "#ff6fb5", "#7ee081"

_REASONS = {
    "de": (
        "Maschine steht still",
        "Störmeldung im Display",
        "Qualität der Teile stimmt nicht",
        "Werkzeugwechsel",
        "Wartung und Verschleißteile",
        "Bedienung unklar",
        "Verbrauchsmaterial",
        "Ungewöhnliche Geräusche",
    ),
    "en": (
        "Machine has stopped",
        "Error message on the screen",
        "Quality of the parts is off",
        "Tool change",
        "Maintenance and wear parts",
        "Not sure how to use it",
        "Consumables",
        "Unusual noises",
    ),
}
_NOTE = {
    "de": "Bitte tragen Sie Schutzbrille und Handschuhe, bevor Sie die Haube öffnen. Richten Sie die Kamera nur auf "
    "die Maschine. Personen im Bild werden vorher gefragt.",
    "en": "Please wear goggles and gloves before you open the cover. Point the camera at the machine only. People in "
    "the picture are asked first.",
}
_ARTICLE = {
    "de": "# So geht es\n\n1. Not-Aus drücken und **warten**, bis die Spindel steht.\n2. Haube öffnen.\n\n"
    "- Späne mit dem Besen entfernen, nie mit der Hand\n- Filter prüfen: ist er grau, bitte [tauschen](x)\n\n"
    "Danach die Haube schließen und den Hauptschalter wieder einschalten. Bleibt die Meldung stehen, hilft Ihnen der "
    "Service gern per Video weiter.",
    "en": "# How to do it\n\n1. Press the emergency stop and **wait** until the spindle stands still.\n2. Open the "
    "cover.\n\n- Remove chips with the brush, never by hand\n- Check the filter: if it is grey, please [change](x) it\n"
    "\nThen close the cover and switch on the main switch again. If the message stays, the service is glad to help you "
    "by video.",
}


def provider(language: str) -> Provider:
    de = language == "de"
    titles = ("Späne entfernen", "Filter tauschen") if de else ("Remove chips", "Change the filter")
    action = "Videohilfe zu diesem Thema" if de else "Video help on this"
    return Provider(
        language="de" if de else "en",
        recording_allowed=True,
        look_back_s=30,
        steps=("reason", "requester", "ticket", "consent", "note"),
        reasons=_REASONS[language],
        note=_NOTE[language],
        tickets=(Ticket("SR-1042", "Spindel vibriert" if de else "Spindle vibrates"), Ticket("SR-1077")),
        articles=tuple(Article(f"a-{i}", t, _ARTICLE[language], action, t) for i, t in enumerate(titles)),
        staff=(ANNA,),
    )


def session(language: str, state: State, **values: object) -> Session:
    """One in `state`; other fields of Session as given."""
    actor = Actor(Role.STAFF, ANNA.id, ANNA.name)
    event = Event.CANCEL if state is State.CANCELLED else Event.CONFIRM
    told = Session(
        id="s-1",
        epoch="e-1",
        rev=3,
        kiosk="k-1",
        device=Device("d-1", "Presse 7"),
        state=state,
        origin="code_user",
        created_at="2026-01-01T10:00:00Z",
        language=language,
        reason=_REASONS[language][1],
        assigned=(ANNA,),
        recording=Recording(allowed=True, asked=True),
        history=(Change("2026-01-01T10:01:00Z", actor, event, State.REQUESTED, state),),
    )
    return msgspec.structs.replace(told, **values)


def overlay() -> Overlay:
    """A stroke, a mark in each state, a pointer."""
    bow = tuple((0.28 + i * 0.006, 0.46 + 0.08 * ((i - 20) / 20) ** 2) for i in range(41))

    def quad(x: float, y: float) -> tuple[tuple[float, float], ...]:
        return ((x, y), (x + 0.13, y + 0.01), (x + 0.13, y + 0.2), (x, y + 0.19))

    return Overlay(
        captured_s=100.0,
        strokes=(StrokeShape("st-1", "Anna Schmidt", YELLOW, bow),),
        marks=(
            MarkShape("m-1", "Anna Schmidt", YELLOW, "Ventil V2", "tracked", quad(0.24, 0.6)),
            MarkShape("m-2", "Ben", PINK, "Filter", "unsure", quad(0.64, 0.6)),
            MarkShape("m-3", "Ben", PINK, "Sensor", "lost", quad(1.2, 0.5)),
        ),
        pointers=(PointerShape("Ben", PINK, (0.5, 0.34)),),
    )


def sample_views(language: str, size: tuple[int, int], live: Picture) -> Iterator[Sample]:
    """(name, View, Front) of every screen there is."""
    base = View(language, "Presse 7 · Halle 2" if language == "de" else "Press 7 · Hall 2", provider(language))
    base = replace(base, online=True, staff_online=True, now_s=247.0, touched_s=247.0)
    front = Front(size=size)
    yield from _idle(base, front)
    yield from _flow(base, front)
    yield from _sessions(base, front, language)
    yield from _calls(base, front, language, live)


def _idle(base: View, front: Front) -> Iterator[Sample]:
    held = replace(front, held="camera_plus", held_since_s=246.5, held_on="idle")
    bare = msgspec.structs.replace(base.provider, articles=())
    yield "idle", base, front
    yield "idle-held", base, held
    yield "idle-browsing", base, replace(front, screen="idle", browsing=True)
    yield "idle-bare", replace(base, provider=bare, staff_online=None), front
    yield "idle-nobody", replace(base, staff_online=False), front
    yield "idle-no-requests", replace(base, provider=msgspec.structs.replace(bare, requests_allowed=False)), front
    for trouble in ("no_network", "no_camera", "no_sound", "disk_full", "stuck_button", "no_time", "updating"):
        told = replace(base, online=trouble != "no_network", troubles=(trouble,))
        yield f"trouble-{trouble.replace('_', '-')}", told, front
    yield "idle-recall", replace(base, recall=True), front
    yield "asleep", replace(base, asleep=True), front
    yield "article", replace(base, article="a-0"), front


def _flow(base: View, front: Front) -> Iterator[Sample]:
    flow = begin(base.provider)
    for at, step in enumerate(flow.steps):
        yield f"flow-{step}", replace(base, flow=Flow(flow.steps, at)), front
    first = replace(base, flow=flow)
    yield "flow-sending", replace(base, flow=Flow(flow.steps, len(flow.steps))), front
    typed = replace(front, screen=key_of(first), typing=True, text="Ölverlust am Ventil", by_touch=True, shift=False)
    yield "flow-typing", first, typed
    held = replace(front, held="camera_plus", held_since_s=246.4, held_on=key_of(first))
    yield "flow-held", first, held
    name = replace(base, flow=Flow(flow.steps, flow.steps.index("requester")))
    in_rows = replace(front, screen=key_of(name), text="Anna", shift=False)
    yield "flow-typing-rows", name, replace(in_rows, focus=4)
    yield "flow-typing-keys", name, replace(in_rows, row=1, focus=3)
    ticket = replace(base, flow=Flow(flow.steps, flow.steps.index("ticket")))
    yield "flow-ticket-typed", ticket, replace(front, screen=key_of(ticket), typing=True, text="SR-1", by_touch=True)
    yield "leave-confirm", ticket, replace(front, screen=key_of(ticket), confirm="leave")
    yield "flow-discarded", replace(base, flow_discarded=True), front


def _sessions(base: View, front: Front, language: str) -> Iterator[Sample]:
    requested = session(language, State.REQUESTED)
    yield "waiting", replace(base, session=requested, sent=True), front
    yield "request-sending", replace(base, session=requested), front
    yield "waiting-for-network", replace(base, session=requested, online=False), front
    seen = session(language, State.REQUESTED, seen_by=(ANNA,))
    yield "seen", replace(base, session=seen, sent=True), front
    waiting = replace(base, session=requested, sent=True)
    yield "cancel-confirm", waiting, replace(front, screen=key_of(waiting), confirm="cancel")
    confirmed = replace(base, sent=True, session=session(language, State.CONFIRMED))
    yield "confirmed", confirmed, front
    for by, name in (("code_user", "calling"), ("staff", "ringing")):
        ringing = Ringing("staff" if by == "staff" else "code_user", ANNA.name)
        yield name, replace(base, session=session(language, State.CONFIRMED, ringing=ringing)), front
    for by, why, name in (("code_user", "no_answer", "nobody-answered"), ("code_user", "declined", "declined"),
                          ("code_user", "restart", "interrupted"), ("staff", "no_answer", "missed")):  # fmt: skip
        in_vain = session(language, State.CONFIRMED, rang_in_vain=why, rang_by=by)
        yield name, replace(base, session=in_vain, sent=True), front
    yield "completed", replace(base, session=session(language, State.COMPLETED)), front
    closed = session(language, State.CLOSED)
    qr = "https://desk.example.com/s/7Kq2mZpW9xR4tLb8"
    yield "closed", replace(base, session=closed, qr=qr), front
    yield "closed-rated", replace(base, session=session(language, State.CLOSED, rating=Rating(4))), front
    yield "cancelled", replace(base, session=session(language, State.CANCELLED)), front


def _calls(base: View, front: Front, language: str, live: Picture) -> Iterator[Sample]:
    running = replace(base, session=session(language, State.RUNNING))
    call = CallView((("Anna Schmidt", YELLOW), ("Ben", PINK)), overlay(), started_s=0.0, quality="good", step="full")
    full = replace(call, staff_camera=True, recording="on", quality="poor", on_stills=("Ben",))
    edits = (
        EditShape("pen", YELLOW, ((0.2, 0.2), (0.3, 0.5), (0.5, 0.5))),
        EditShape("arrow", GREEN, ((0.6, 0.2), (0.8, 0.4))),
        EditShape("box", PINK, ((0.25, 0.55), (0.45, 0.75))),
        EditShape("text", GREEN, ((0.5, 0.62),), "Größe prüfen" if language == "de" else "Check size"),
        EditShape("step", YELLOW, ((0.25, 0.55),), n=1),
        EditShape("step", YELLOW, ((0.8, 0.4),), n=12),
    )
    yield "connecting", running, front
    yield "call", replace(running, call=call), replace(front, by_touch=True)
    yield "call-full", replace(running, call=full), front
    for step in ("smaller", "small", "stills"):
        yield (
            f"call-{step}",
            replace(running, call=replace(call, quality="poor", step=step)),
            replace(front, by_touch=True),
        )
    yield "call-alone", replace(running, call=CallView(muted=True)), front
    no = Consent(False, "2026-01-01T10:02:00Z", "", language, "call")
    refused = session(language, State.RUNNING, recording=Recording(allowed=True, asked=True, consent=no))
    yield "call-refused", replace(running, session=refused, call=call), front
    yield "call-trouble", replace(running, call=call, troubles=("no_camera",)), replace(front, by_touch=True)
    yield "call-turns", replace(running, call=replace(call, turns=True, silent=("Ben",))), front
    terms = Recording(allowed=True, asked=True, look_back_s=30)
    asked = replace(
        base,
        session=session(language, State.RUNNING, recording=terms),
        call=replace(call, recording="asked"),
    )
    yield "call-consent", asked, front
    on = replace(running, call=full)
    yield "hang-up-confirm", on, replace(front, screen=key_of(on), confirm="hang-up", held="camera_plus",
                                         held_since_s=246.6, held_on=key_of(on))  # fmt: skip
    still = SnapshotView("sn-1", live, edits)
    snapshot = replace(running, call=replace(full, snapshot=still))
    yield "snapshot", snapshot, front
    weak = replace(full, staff_camera=False, step="stills", snapshot=still)
    yield "snapshot-weak", replace(running, call=weak), replace(front, by_touch=True)
    yield (
        "snapshot-text",
        snapshot,
        replace(front, screen=key_of(snapshot), writing=(0.4, 0.3), text="M8 lose", shift=False, by_touch=True),
    )
