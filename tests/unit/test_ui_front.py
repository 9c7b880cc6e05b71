"""What presses and touches mean, told as stories."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from kiosk.hw.ports import ButtonName, Key, Press, Touch
from kiosk.session.flow import Flow, answer, begin
from kiosk.session.record import Consent, Recording, Ringing
from kiosk.session.states import State
from kiosk.ui.consent import consent_lines
from kiosk.ui.front import react
from kiosk.ui.gallery import sample_picture
from kiosk.ui.gallery_views import provider, session
from kiosk.ui.layout import arrange, picture_fit
from kiosk.ui.local import Chosen, Draw, FingerTool, Front, Intent, Tick
from kiosk.ui.screens import Screen, screen
from kiosk.ui.view import CallView, SnapshotView, View
from kiosk.wire.overlay import EditShape

SIZE = (1024, 600)
BASE = View("en", "Press 7", provider("en"), online=True)


class Kiosk:
    """The display with somebody in front of it; `view` is set by the test, as the app would."""

    def __init__(self, view: View = BASE) -> None:
        self.view, self.front = view, Front(size=SIZE)

    @property
    def screen(self) -> Screen:
        return screen(self.view, self.front)

    def put(self, what: Press | Touch | Key | Tick) -> tuple[Intent, ...]:
        self.front, intents = react(self.front, self.view, what)
        return intents

    def press(self, button: ButtonName = "camera_plus", long: bool = False) -> tuple[Intent, ...]:
        self.put(Press(button, "down"))
        intents = self.put(Press(button, "long" if long else "short"))
        return intents + self.put(Press(button, "up"))

    def hold(self) -> tuple[Intent, ...]:
        return self.press(long=True)

    def focused(self) -> str:
        choice = self.screen.focused
        return choice.id if choice else ""

    def go_to(self, choice: str) -> None:
        """Short presses until the choice has the focus."""
        for _ in range(20):
            if self.focused() == choice:
                return
            assert self.press() == ()
        raise AssertionError(f"{choice} is not reached on {self.screen.name}")

    def tap(self, choice: str, arg: str | None = None) -> tuple[Intent, ...]:
        shown = self.screen
        at = next(i for i, c in enumerate(shown.choices) if c.id == choice and arg in (None, c.arg))
        rect = arrange(shown, SIZE).choices[at]
        x, y = (rect.x + rect.w / 2) / SIZE[0], (rect.y + rect.h / 2) / SIZE[1]
        return self.put(Touch("down", x, y)) + self.put(Touch("up", x, y))

    def to(self, state: State, call: CallView | None = None, **more: object) -> None:
        self.view = replace(self.view, flow=None, session=session("en", state, **more), call=call, sent=True)


def test_one_button_leads_from_idle_to_the_end_of_the_call() -> None:
    kiosk = Kiosk()
    assert kiosk.press() == (Chosen("ask"),)
    kiosk.view = replace(BASE, flow=begin(BASE.provider))
    assert kiosk.press() == ()
    assert kiosk.hold() == (Chosen("answer", BASE.provider.reasons[1]),)
    flow = answer(begin(BASE.provider), "x")
    kiosk.view = replace(BASE, flow=flow)
    assert kiosk.screen.name == "requester"
    assert kiosk.hold() == (Chosen("answer", ""),)
    kiosk.view = replace(BASE, flow=Flow(("consent",)))
    assert kiosk.hold() == (Chosen("consent-yes"),)
    kiosk.to(State.REQUESTED)
    assert kiosk.focused() == "cancel"
    kiosk.to(State.CONFIRMED)
    assert kiosk.hold() == (Chosen("start"),)
    kiosk.to(State.CONFIRMED, ringing=Ringing("staff", "Anna"))
    assert kiosk.hold() == (Chosen("accept"),)
    kiosk.to(State.RUNNING, CallView())
    kiosk.go_to("hang-up")
    assert kiosk.hold() == (), "asked once more first"
    kiosk.go_to("hang-up")
    assert kiosk.hold() == (Chosen("hang-up"),)
    kiosk.to(State.COMPLETED)
    assert kiosk.hold() == (Chosen("done"),)


def test_every_choice_of_every_screen_but_keys_is_reached_with_one_button() -> None:
    kiosk = Kiosk(replace(BASE, flow=begin(BASE.provider)))
    for choice in ("page", "other", "leave"):
        kiosk.go_to(choice)


def test_a_held_button_on_the_idle_screen_leads_to_the_articles_and_back() -> None:
    kiosk = Kiosk()
    assert kiosk.hold() == ()
    assert kiosk.focused() == "article"
    kiosk.press()
    assert kiosk.hold() == (Chosen("article", "a-1"),)
    kiosk.go_to("browse-end")
    kiosk.hold()
    assert kiosk.focused() == "ask"


def test_an_article_starts_the_flow_with_its_reason() -> None:
    kiosk = Kiosk(replace(BASE, article="a-0"))
    kiosk.go_to("ask-with-reason")
    assert kiosk.hold() == (Chosen("ask-with-reason", BASE.provider.articles[0].reason),)


def test_accept_takes_the_main_choice_and_decline_refuses() -> None:
    kiosk = Kiosk()
    kiosk.to(State.CONFIRMED, ringing=Ringing("staff", "Anna"))
    assert kiosk.press("accept") == (Chosen("accept"),)
    assert kiosk.press("decline") == (Chosen("decline"),)
    kiosk.view = replace(BASE, flow=Flow(("consent",)))
    assert kiosk.press("decline") == (Chosen("consent-no"),)
    kiosk.view = replace(BASE, flow=begin(BASE.provider))
    assert kiosk.press("decline") == (Chosen("leave"),)


def test_hanging_up_by_decline_is_asked_once_more_and_a_second_decline_keeps_the_call() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    assert kiosk.press("decline") == ()
    assert kiosk.screen.name == "call-confirm"
    assert kiosk.press("decline") == ()
    assert kiosk.screen.name == "call"


def test_a_press_counts_only_on_the_screen_where_it_began() -> None:
    kiosk = Kiosk()
    kiosk.to(State.CONFIRMED)
    kiosk.put(Press("accept", "down"))
    kiosk.to(State.RUNNING, CallView(recording="asked"))
    assert kiosk.put(Press("accept", "short")) == (), "a consent that was asked for under the finger is not given"


def test_a_touch_counts_only_on_the_screen_where_it_began() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    rect = arrange(kiosk.screen, SIZE).choices[0]
    x, y = (rect.x + 5) / SIZE[0], (rect.y + 5) / SIZE[1]
    kiosk.put(Touch("down", x, y))
    kiosk.to(State.RUNNING, CallView(recording="asked"))
    assert kiosk.put(Touch("up", x, y)) == ()


def test_the_focus_begins_anew_on_another_screen() -> None:
    kiosk = Kiosk()
    kiosk.to(State.CONFIRMED)
    kiosk.press()
    assert kiosk.focused() == "cancel"
    kiosk.to(State.CONFIRMED, ringing=Ringing("staff", "Anna"))
    assert kiosk.focused() == "accept"


def test_the_hold_ring_grows_while_the_button_is_down_and_is_gone_after_it() -> None:
    kiosk = Kiosk(replace(BASE, now_s=10.0))
    kiosk.put(Press("camera_plus", "down"))
    kiosk.view = replace(kiosk.view, now_s=10.4)
    assert kiosk.screen.hold == pytest.approx(0.5)
    kiosk.put(Press("camera_plus", "long"))
    assert kiosk.screen.hold == 0.0


def test_a_name_is_typed_with_fingers() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("requester",))))
    for letter in ("O", "l", "x"):
        kiosk.tap("type", letter)
    kiosk.tap("erase")
    kiosk.tap("type", "a")
    assert kiosk.tap("answer") == (Chosen("answer", "Ola"),)


def test_a_reason_of_ones_own_is_typed() -> None:
    kiosk = Kiosk(replace(BASE, flow=begin(BASE.provider)))
    assert kiosk.tap("other") == ()
    kiosk.tap("type", "A")
    kiosk.tap("symbols")
    kiosk.tap("type", "7")
    assert kiosk.tap("answer") == (Chosen("answer", "A7"),)
    assert kiosk.tap("untype") == ()
    assert kiosk.screen.name == "reason"


def test_a_finger_that_slides_off_a_choice_chooses_nothing() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("consent",))))
    rect = arrange(kiosk.screen, SIZE).choices[0]
    kiosk.put(Touch("down", (rect.x + 9) / SIZE[0], (rect.y + 9) / SIZE[1]))
    assert kiosk.put(Touch("up", 0.5, 0.2)) == ()


def drag(kiosk: Kiosk, frame: tuple[int, int], beside: tuple[int, int] | None = None) -> tuple[Intent, ...]:
    place = picture_fit(SIZE, frame, beside)
    said: tuple[Intent, ...] = ()
    for phase, x, y in (("down", 0.25, 0.5), ("move", 0.5, 0.5), ("up", 0.5, 0.75)):
        px = place.to_display(x, y)
        said += kiosk.put(Touch(phase, px[0] / SIZE[0], px[1] / SIZE[1]))  # type: ignore[arg-type]  # from the table
    return said


def rounded(intents: tuple[Intent, ...]) -> list[tuple[str, float, float]]:
    return [(i.phase, round(i.x, 6), round(i.y, 6)) for i in intents if isinstance(i, Draw)]


def test_a_drag_on_the_picture_draws_in_frame_coordinates() -> None:
    for frame in ((1280, 720), (640, 480), (720, 1280)):
        kiosk = Kiosk()
        kiosk.to(State.RUNNING, CallView(frame=frame))
        assert rounded(drag(kiosk, frame)) == [("begin", 0.25, 0.5), ("point", 0.5, 0.5), ("end", 0.5, 0.75)]


def test_a_drag_on_a_snapshot_draws_in_its_own_coordinates() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView(snapshot=SnapshotView("sn-1", sample_picture(64, 64, 0))))
    assert rounded(drag(kiosk, (64, 64), (1280, 720)))[0] == ("begin", 0.25, 0.5)


def test_the_fingers_tool_on_a_snapshot_is_changed_by_a_tap_and_comes_with_what_is_drawn() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView(snapshot=SnapshotView("sn-1", sample_picture(64, 64, 0))))
    tools = []
    for _ in range(7):
        tools.append({d.tool for d in drag(kiosk, (64, 64)) if isinstance(d, Draw)})
        if kiosk.screen.field is not None:
            kiosk.put(Key("escape", 0.0))
        assert kiosk.tap("finger-tool") == ()
    assert tools == [{"pen"}, {"arrow"}, {"box"}, {"step"}, set(), set(), {"pen"}]


def on_snapshot(tool: FingerTool, *edits: EditShape) -> Kiosk:
    kiosk = Kiosk()
    snapshot = SnapshotView("sn-1", sample_picture(64, 36, 0), edits)
    kiosk.to(State.RUNNING, CallView(snapshot=snapshot, recording="on"))
    while kiosk.front.tool != tool:
        kiosk.tap("finger-tool")
    return kiosk


def touch(kiosk: Kiosk, x: float, y: float, finger: int = 0) -> tuple[Intent, ...]:
    """A tap on the snapshot, 0..1 of it."""
    px = picture_fit(SIZE, (64, 36), (1280, 720)).to_display(x, y)
    at = px[0] / SIZE[0], px[1] / SIZE[1]
    return kiosk.put(Touch("down", *at, finger)) + kiosk.put(Touch("up", *at, finger))


def test_a_text_is_typed_after_a_tap_says_where_it_goes_and_is_put_there() -> None:
    kiosk = on_snapshot("text")
    assert touch(kiosk, 0.25, 0.5) == ()
    assert [chip.text for chip in kiosk.screen.chips] == ["Camera is live", "RECORDING"]
    for letter in "Öl":
        assert kiosk.put(Key(letter, 0.0)) == ()
    (draw,) = kiosk.tap("answer")
    assert isinstance(draw, Draw)
    assert (draw.phase, draw.tool, draw.what) == ("end", "text", "Öl")
    assert (round(draw.x, 6), round(draw.y, 6)) == (0.25, 0.5)
    assert kiosk.screen.name == "snapshot"


@pytest.mark.parametrize("end", ["untype", "decline", "closed", "nothing typed"])
def test_a_text_that_is_cancelled_or_empty_or_whose_snapshot_is_closed_is_put_nowhere(end: str) -> None:
    kiosk = on_snapshot("text")
    touch(kiosk, 0.25, 0.5)
    if end != "nothing typed":
        kiosk.put(Key("a", 0.0))
    if end == "closed":
        kiosk.to(State.RUNNING, CallView())
        assert kiosk.put(Tick(0.0)) == ()
        assert kiosk.screen.name == "call"
        return
    said = kiosk.press("decline") if end == "decline" else kiosk.tap("answer" if end == "nothing typed" else "untype")
    assert said == ()
    assert kiosk.screen.name == "snapshot"


def test_a_tap_deletes_the_edit_nearest_to_the_finger_and_none_that_is_farther_than_a_finger() -> None:
    line = EditShape("pen", "#ffffff", ((0.1, 0.2), (0.5, 0.2)), id="line")
    box = EditShape("box", "#ffffff", ((0.2, 0.5), (0.8, 0.9)), id="box")
    word = EditShape("text", "#ffffff", ((0.7, 0.1),), "Oil", id="word")
    step = EditShape("step", "#ffffff", ((0.2, 0.9),), n=1, id="step")
    kiosk = on_snapshot("delete", line, box, word, step)
    for x, y, meant in ((0.3, 0.22, "line"), (0.5, 0.88, "box"), (0.71, 0.12, "word"), (0.2, 0.9, "step")):
        assert [(d.tool, d.what) for d in touch(kiosk, x, y) if isinstance(d, Draw)] == [("delete", meant)]
    assert touch(kiosk, 0.5, 0.7) == touch(kiosk, 0.95, 0.4) == ()


def test_a_line_on_the_live_picture_is_ended_when_a_snapshot_opens_for_which_delete_was_chosen() -> None:
    kiosk = on_snapshot("delete")
    kiosk.to(State.RUNNING, CallView())
    assert [d.phase for d in kiosk.put(Touch("down", 0.5, 0.4)) if isinstance(d, Draw)] == ["begin"]
    kiosk.to(State.RUNNING, CallView(snapshot=SnapshotView("sn-2", sample_picture(64, 36, 0))))
    assert [d.phase for d in kiosk.put(Touch("up", 0.5, 0.4)) if isinstance(d, Draw)] == ["end"]
    assert kiosk.put(Touch("down", 0.3, 0.4)) == ()
    kiosk.to(State.RUNNING, CallView())
    assert kiosk.put(Touch("up", 0.3, 0.4)) == ()


def test_what_a_finger_does_on_the_live_picture_is_chosen_with_one_tap_and_stays_chosen() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    tools = []
    for _ in range(4):
        tools.append({d.live for d in drag(kiosk, (1280, 720)) if isinstance(d, Draw)})
        assert kiosk.tap("live-tool") == ()
    assert tools == [{"pen"}, {"pinned"}, {"pointer"}, {"pen"}]
    kiosk.to(State.RUNNING, CallView(snapshot=SnapshotView("sn-1", sample_picture(64, 64, 0))))
    kiosk.to(State.RUNNING, CallView())
    assert {d.live for d in drag(kiosk, (1280, 720)) if isinstance(d, Draw)} == {"pinned"}


def test_nothing_is_drawn_beside_the_picture_nor_while_a_question_is_open() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    assert kiosk.put(Touch("down", 0.01, 0.4)) == ()
    kiosk.put(Touch("up", 0.01, 0.4))
    kiosk.to(State.RUNNING, CallView(recording="asked"))
    assert drag(kiosk, (1280, 720)) == ()


def test_two_fingers_draw_two_lines() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    told = [
        *kiosk.put(Touch("down", 0.5, 0.4)),
        *kiosk.put(Touch("down", 0.3, 0.3, finger=1)),
        *kiosk.put(Touch("move", 0.3, 0.4, finger=1)),
        *kiosk.put(Touch("up", 0.5, 0.5)),
        *kiosk.put(Touch("up", 0.3, 0.5, finger=1)),
    ]
    said = [(d.finger, d.phase) for d in told if isinstance(d, Draw)]
    assert said == [(0, "begin"), (1, "begin"), (1, "point"), (0, "end"), (1, "end")]


def test_a_hand_on_the_buttons_presses_one_of_them_and_draws_nothing() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    rect = arrange(kiosk.screen, SIZE).choices[0]
    at = ((rect.x + 9) / SIZE[0], (rect.y + 9) / SIZE[1])
    assert kiosk.put(Touch("down", *at)) == ()
    assert kiosk.put(Touch("down", 0.5, 0.4, finger=1)) == ()
    assert kiosk.put(Touch("up", 0.5, 0.4, finger=1)) == ()
    assert kiosk.put(Touch("up", *at)) == (Chosen("snapshot"),)


def test_a_line_ends_where_the_screen_changes_under_the_pen() -> None:
    kiosk = Kiosk()
    kiosk.to(State.RUNNING, CallView())
    kiosk.put(Touch("down", 0.5, 0.4))
    kiosk.to(State.COMPLETED)
    assert rounded(kiosk.put(Touch("move", 0.6, 0.4)))[0][0] == "end"
    assert kiosk.put(Touch("up", 0.6, 0.4)) == ()


def test_the_first_touch_of_a_sleeping_display_only_wakes_it_but_the_button_asks_at_once() -> None:
    kiosk = Kiosk(replace(BASE, asleep=True))
    assert kiosk.tap("ask") == ()
    assert kiosk.press() == (Chosen("ask"),)


def test_where_requests_are_off_the_button_asks_for_nothing() -> None:
    off = msgspec.structs.replace(BASE.provider, requests_allowed=False)
    kiosk = Kiosk(replace(BASE, provider=off))
    assert kiosk.press() == ()
    assert kiosk.press("accept") in ((), (Chosen("article", "a-0"),))


def test_time_alone_changes_nothing() -> None:
    kiosk = Kiosk()
    before = kiosk.screen
    assert kiosk.put(Tick(99.0)) == ()
    assert kiosk.screen == before


# --- everything with one button ---------------------------------------------------------------------------------------


def test_free_text_is_typed_with_one_button_row_by_row() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("requester",))))
    kiosk.press()
    kiosk.press()  # answer, leave, and then the first row as a whole
    assert kiosk.screen.choices[kiosk.screen.group[-1]].label == "P"
    kiosk.hold()
    kiosk.press()
    assert kiosk.hold() == ()
    assert kiosk.front.text == "W"
    assert len(kiosk.screen.group) == 10, "and the focus is on the row again"
    kiosk.press()
    kiosk.hold()
    assert kiosk.hold() == ()
    assert kiosk.front.text == "Wa"
    kiosk.go_to("leave")
    kiosk.press("accept")
    assert kiosk.screen.name == "requester-confirm", "what was typed is not thrown away by one press"


def test_behind_the_last_key_of_a_row_stands_the_row_again() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("requester",))))
    kiosk.press()
    kiosk.press()
    kiosk.hold()
    for _ in range(10):
        assert len(kiosk.screen.group) == 1
        kiosk.press()
    assert len(kiosk.screen.group) == 10


def test_leaving_a_flow_in_which_nothing_was_answered_asks_nothing() -> None:
    kiosk = Kiosk(replace(BASE, flow=begin(BASE.provider)))
    kiosk.go_to("leave")
    assert kiosk.hold() == (Chosen("leave"),)
    kiosk.view = replace(BASE, flow=msgspec.structs.replace(begin(BASE.provider), at=1))
    kiosk.go_to("leave")
    assert kiosk.hold() == ()
    kiosk.go_to("leave")
    assert kiosk.hold() == (Chosen("leave"),)


def test_a_refused_recording_can_still_be_agreed_to_with_the_words_before_ones_eyes() -> None:
    kiosk = Kiosk()
    no = Recording(allowed=True, asked=True, consent=Consent(False, "2026-01-01T10:00:00Z", "w", "en", "call"))
    kiosk.to(State.RUNNING, CallView(), recording=no)
    kiosk.go_to("reconsider")
    assert kiosk.hold() == ()
    assert kiosk.screen.lines == consent_lines(kiosk.view)
    assert kiosk.focused() == "keep", "nobody agrees by pressing on"
    kiosk.go_to("reconsider")
    assert kiosk.hold() == (Chosen("consent-yes"),)


# --- keyboards and scanners -------------------------------------------------------------------------------------------


def write(kiosk: Kiosk, text: str, gap_s: float, at_s: float = 50.0) -> tuple[Intent, ...]:
    said: tuple[Intent, ...] = ()
    for n, letter in enumerate(text):
        said += kiosk.put(Key("enter" if letter == "\n" else letter, at_s + n * gap_s))
    return said


PERSON_S, SCANNER_S = 0.12, 0.008


def test_a_keyboard_types_into_the_field_and_enter_ends_it() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("requester",))))
    assert write(kiosk, "Jörg ß", PERSON_S) == ()
    assert kiosk.put(Key("erase", 60.0)) == ()
    assert kiosk.put(Key("enter", 61.0)) == (Chosen("answer", "Jörg"),)


def test_keys_lead_through_choices() -> None:
    kiosk = Kiosk(replace(BASE, flow=begin(BASE.provider)))
    kiosk.put(Key("next", 1.0))
    kiosk.put(Key("next", 2.0))
    kiosk.put(Key("previous", 3.0))
    assert kiosk.put(Key("enter", 4.0)) == (Chosen("answer", BASE.provider.reasons[1]),)
    assert kiosk.put(Key("escape", 5.0)) == (Chosen("leave"),)


def test_a_scanners_code_leaves_and_its_enter_chooses_nothing() -> None:
    for view in (BASE, replace(BASE, flow=Flow(("ticket",))), replace(BASE, asleep=True)):
        assert write(Kiosk(view), "SR-1042\n", SCANNER_S) == (Chosen("scan", "SR-1042"),)


def test_a_code_that_is_scanned_into_the_ticket_field_replaces_nothing_that_was_typed() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("ticket",)), provider=msgspec.structs.replace(BASE.provider, tickets=())))
    assert kiosk.screen.name == "ticket-typed"
    write(kiosk, "SR", PERSON_S)
    assert write(kiosk, "4711-0815\n", SCANNER_S, at_s=99.0) == (Chosen("scan", "4711-0815"),)
    assert kiosk.front.text == "SR"


def test_a_code_that_is_scanned_into_free_text_is_a_part_of_it() -> None:
    kiosk = Kiosk(replace(BASE, flow=Flow(("requester",))))
    assert write(kiosk, "Part 4711\n", SCANNER_S) == ()
    assert kiosk.front.text == "Part 4711"


def test_a_person_is_never_taken_for_a_scanner() -> None:
    assert write(Kiosk(), "SR-1042\n", PERSON_S) == (Chosen("ask"),), "Enter chooses, as always"
    assert write(Kiosk(), "xy\n", SCANNER_S) == (Chosen("ask"),), "too short for a code"
    assert write(Kiosk(replace(BASE, asleep=True)), "xy\n", PERSON_S) == (), "and only wakes a sleeping display"


def test_on_a_sleeping_display_accept_and_decline_only_wake_it() -> None:
    for button in ("accept", "decline"):
        assert Kiosk(replace(BASE, asleep=True)).press(button) == ()
