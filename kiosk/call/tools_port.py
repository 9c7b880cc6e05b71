"""What a call wants of its tools, and what they may tell everybody who is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from kiosk.call.author import Author
from kiosk.hw.ports import Device, Picture
from kiosk.wire import channel

Tell = Callable[[Struct | bytes, Author | None], None]
"""(event or binary chunk, author to leave out or None): to all participants with an events channel."""
TellPoses = Callable[[float, tuple[channel.MarkPose, ...], channel.Motion | None], None]
"""(captured_s of the frame, marks, the scene's motion): to all, each with its own name for the frame."""


class Tools(Device, Protocol):
    """Marks, strokes, snapshots: what is drawn in a call. All from the loop; open while the call is."""

    def join(self, author: Author) -> None: ...
    def leave(self, author: Author) -> None: ...
    def greet(self) -> tuple[Struct | bytes, ...]:
        """What is on the picture now, for somebody who comes late: events and binary chunks in order."""

    async def handle(self, author: Author, event: Any, captured_s: float | None) -> None:
        """One of channel.FromParticipant; `captured_s` is the frame its `t` named. Raises Trouble."""

    def feed(self, picture: Picture) -> None:
        """Each picture of the camera; cheap."""
