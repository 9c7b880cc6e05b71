"""What the provider decides for a kiosk: who may ask, who is responsible, which steps the creation flow has."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kiosk.session.record import MAX_LOOK_BACK_S, Id, LongText, Person, Text, Ticket

StepKind = Literal["reason", "requester", "consent", "ticket", "note"]


class Article(Struct, frozen=True, forbid_unknown_fields=True):
    """A short help article (Markdown). With a `reason`, its action button starts the creation flow with it."""

    id: Id
    title: Text
    text: Annotated[str, Meta(max_length=20_000)]
    action: Text = ""
    reason: LongText = ""


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    name: Text = ""
    language: Literal["de", "en"] = "de"
    requests_allowed: bool = True
    recording_allowed: bool = False
    recording_wanted: bool = True  # ask for a recording in every call, so that staff need not press
    on_withdrawal: Literal["keep", "delete"] = "delete"  # what becomes of a call's recordings when consent is withdrawn
    look_back_s: Annotated[int, Meta(ge=0, le=MAX_LOOK_BACK_S)] = 0  # of the call before its recording begins; 0: none
    review_s: Annotated[float, Meta(ge=0)] = 600.0
    visibility: Literal["public", "internal"] = "public"
    steps: tuple[StepKind, ...] = ("reason", "consent")
    reasons: tuple[Text, ...] = ()
    note: LongText = ""  # what the step "note" shows to be read
    tickets: tuple[Ticket, ...] = ()  # what the step "ticket" offers
    flow_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    ring_s: Annotated[float, Meta(gt=0)] = 60.0  # ringing that nobody answers is given up after it
    staff: tuple[Person, ...] = ()  # responsible for this device
    moderators: tuple[Person, ...] = ()
    articles: tuple[Article, ...] = ()
