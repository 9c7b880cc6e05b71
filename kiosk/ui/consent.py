"""The words that a code user agrees to, or not: what stands on the display is what the receipt names."""

from __future__ import annotations

from typing import Literal

from kiosk.ui.texts import later, speaker
from kiosk.ui.view import View

RECORDED = later("Picture and sound of this call are recorded and kept for this service case.")
LOOK_BACK = later("The recording includes the last {seconds} seconds before it begins.")
ON_WITHDRAWAL = {
    "delete": later(
        "You can withdraw your consent at any time; the recording then stops and what was recorded is deleted."
    ),
    "keep": later(
        "You can withdraw your consent at any time; the recording then stops and what was recorded until then is kept."
    ),
}


def wording(language: str, on_withdrawal: Literal["keep", "delete"], look_back_s: int) -> tuple[str, ...]:
    """Paragraph by paragraph."""
    say = speaker(language)
    look_back = f" {say(LOOK_BACK, seconds=look_back_s)}" if look_back_s else ""
    return (say(RECORDED) + look_back, say(ON_WITHDRAWAL[on_withdrawal]))


def consent_lines(view: View) -> tuple[str, ...]:
    """In the creation flow by the provider's settings; in a call by what holds for its session since it was begun."""
    session = view.session if view.flow is None else None
    if session is None:
        return wording(view.language, view.provider.on_withdrawal, view.provider.look_back_s)
    return wording(view.language, session.recording.on_withdrawal, session.look_back_s)


def consent_shown(view: View) -> str:
    return " ".join(consent_lines(view))
