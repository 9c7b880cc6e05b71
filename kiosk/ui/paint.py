"""From View and Front to what a Display takes: layers, overlay, changed rectangles. Used by one thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kiosk.hw.ports import Layer, Picture, Pixels, Rect
from kiosk.ui import theme
from kiosk.ui.call_paint import call
from kiosk.ui.canvas import Canvas
from kiosk.ui.layout import inset, live_inset, picture_fit
from kiosk.ui.local import Front
from kiosk.ui.pages import page
from kiosk.ui.screen import Screen
from kiosk.ui.screens import DRIFT_S, screen
from kiosk.ui.texts import speaker
from kiosk.ui.view import View

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Painted:
    """What Display.present takes. `overlay` is the canvas itself, painted on again at the next call."""

    layers: tuple[Layer, ...]
    overlay: Pixels
    changed: tuple[Rect, ...]
    asleep: bool = False


class Painter:
    """Keeps what stands on a display of `size` (width, height) and paints what changes."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._canvas = Canvas(size)

    def paint(self, view: View, front: Front, live: Picture | None = None, staff: Picture | None = None) -> Painted:
        """`live`: the camera's newest picture; `staff`: theirs, shown while they have their camera on."""
        shown = screen(view, replace(front, size=self.size))
        if shown.mode == "page" or view.call is None:
            ground = theme.NIGHT if shown.asleep else theme.GROUND
            changed = self._canvas.update(tuple(page(shown, self.size)), ground)
        else:
            theirs = staff.size if staff and view.call.staff_camera else None
            items = call(shown, view.call, self.size, view.now_s, theirs)
            changed = self._canvas.update(tuple(items), theme.CLEAR)
        return Painted(layers(view, self.size, live, staff), self._canvas.pixels, changed, shown.asleep)

    def starting(self, language: str) -> Painted:
        """The first screen, before anything is known."""
        first = Screen("starting", "", speaker(language)("Starting …"), icon="clock")
        return Painted((), self._canvas.pixels, self._canvas.update(tuple(page(first, self.size)), theme.GROUND))

    def same(self, view: View, live: Picture | None, staff: Picture | None) -> Painted:
        """Newer pictures under an overlay that has not changed."""
        return Painted(layers(view, self.size, live, staff), self._canvas.pixels, ())


def layers(view: View, size: Size, live: Picture | None, staff: Picture | None) -> tuple[Layer, ...]:
    """The pictures of the call, from bottom to top; none on a page."""
    call_ = view.call
    if call_ is None or not shows_pictures(view):
        return ()
    big = call_.snapshot.picture if call_.snapshot else live
    beside = call_.frame if call_.snapshot else None
    shown = [Layer(big, picture_fit(size, big.size, beside).rect)] if big else []
    if call_.snapshot and live:
        shown.append(Layer(live, live_inset(size, call_.frame)))
    if staff and call_.staff_camera:
        shown.append(Layer(staff, inset(size, staff.size, beside)))
    return tuple(shown)


def shows_pictures(view: View) -> bool:
    """The camera's picture is shown in a running call and nowhere else."""
    return view.call is not None and view.session is not None and view.session.state == "RUNNING"


def next_tick_s(view: View, front: Front) -> float | None:
    """In how many seconds the same View and Front look different; None = never."""
    if front.held == "camera_plus":
        return 1 / 30
    call_ = view.call
    if call_ is None or not shows_pictures(view):
        return None if view.asleep else DRIFT_S - (view.now_s - view.touched_s) % DRIFT_S + 0.01
    if not call_.snapshot and any(s.ended_s is not None and s.opacity(view.now_s) > 0 for s in call_.overlay.strokes):
        return 1 / 15
    return 1.0 - view.now_s % 1.0 + 0.01
