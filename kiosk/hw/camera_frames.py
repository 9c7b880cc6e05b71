"""A camera out of frames: one thread takes pictures from a source, shows them and encodes each once.

What differs between cameras is their `FrameSource` (scene, file, V4L2, picamera2); what a call relies on is here, once:
the bounded queues, the keyframe after a slow reader, the camera that is lost and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Protocol, Self

from kiosk.errors import DeviceTrouble
from kiosk.hw.device import Opener, Stream, joined, limited
from kiosk.hw.encoder import Encoder
from kiosk.hw.ports import AccessUnit, Encoding, Picture, Still
from kiosk.hw.sharp import SharpEncoder
from kiosk.mailbox import Queue, Slot

log = logging.getLogger(__name__)

PACKETS_WAITING = 15
"""Half a second at 30 fps; who is slower than that is better served by the next keyframe."""

_OPEN_S = 10.0
_STILL_S = 10.0
_RETRY_S = (0.5, 1.0, 2.0)
"""Between tries to open it again; the last one from then on. Each costs a board time that the display needs."""
HANGS_S = 2.0
"""Open, and no picture for so long: it is closed and opened anew, before anybody is told that it is lost."""


class FrameSource(Protocol):
    """Where pictures come from. All calls from the camera's thread, but `open` (before it) and `still` (beside it)."""

    def open(self) -> None:
        """Raises DeviceTrouble."""

    def next(self, stop: threading.Event) -> Picture | None:
        """Waits for the next picture at the source's own pace, at most about half a second (then None) or until `stop`.

        Raises DeviceTrouble: the device is gone; it is closed and opened anew. So it is where None comes for HANGS_S.
        """

    def still(self) -> Still:
        """Raises DeviceTrouble."""

    def close(self) -> None: ...


class FramesCamera:
    """ports.Camera over a FrameSource and an Encoder.

    `packets` and `pictures` raise DeviceTrouble once for each loss (no frame for `lost_s`). They may then be asked for
    again: the new iteration waits until the camera is back. A shorter gap is just a gap in the same iteration; either
    way the first packet after a reopened device is a keyframe.
    """

    def __init__(
        self,
        source: FrameSource,
        make_encoder: Callable[[int], Encoder],
        bitrate_bps: int,
        *,
        lamp_is_lit: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.monotonic,
        lost_s: float = 3.0,
        watch_s: float = 0.25,
    ) -> None:
        self.source, self._lamp_is_lit, self._opener = source, lamp_is_lit, Opener(source)
        self._make_encoder = make_encoder
        self._bitrate_bps = bitrate_bps
        self._now, self._lost_s, self._watch_s = now, lost_s, watch_s
        self._encoder: Encoder | None = None
        self._encoding: Encoding | None = None
        self._opened = False

    @property
    def opened(self) -> bool:
        """Whether somebody sees through it."""
        return self._opened

    async def __aenter__(self) -> Self:
        """Raises DeviceTrouble: it cannot be opened, or not in time; or the lamp is dark, and whoever stands before it
        would be seen without a sign."""
        if not self._lamp_is_lit():
            raise DeviceTrouble("camera: stays closed while the lamp is dark")
        self._packets: Queue[AccessUnit | DeviceTrouble] = Queue(PACKETS_WAITING)
        self._pictures: Slot[Picture | DeviceTrouble] = Slot()
        self._stop = threading.Event()
        self._sharp, self._sharp_lock = SharpEncoder(), threading.Lock()
        self._newest: Picture | None = None
        self._tries = 0  # to open it again, since its last picture
        self._skipping = False  # to the next keyframe, after a reader was too slow
        self._reason = "camera: no picture comes"
        await self._opener.open(_OPEN_S, "camera: does not open")
        self._seen_s = self._now()
        self._told = False
        self._opened = True
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()
        self._watcher = asyncio.create_task(self._watch(), name="camera watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watcher
        await joined(self._thread)
        self._opened = False
        self._packets.close()
        self._pictures.close()

    def packets(self) -> AsyncIterator[AccessUnit]:
        return Stream(self._packets)

    def pictures(self) -> AsyncIterator[Picture]:
        return Stream(self._pictures)

    def request_keyframe(self) -> None:
        if encoder := self._encoder:
            encoder.request_keyframe()

    def set_bitrate(self, bps: int) -> None:
        self._bitrate_bps = bps
        if encoder := self._encoder:
            encoder.set_bitrate(bps)

    def set_encoding(self, encoding: Encoding) -> None:
        self._encoding, self._bitrate_bps = encoding, encoding.bps
        if encoder := self._encoder:
            encoder.set_encoding(encoding)

    async def sharp(self, bits: int) -> AccessUnit:
        return await limited(lambda: self._take_sharp(bits), _STILL_S, "camera: the picture is not encoded")

    async def still(self) -> Still:
        return await limited(self.source.still, _STILL_S, "camera: takes no photograph")

    def _take_sharp(self, bits: int) -> AccessUnit:
        with self._sharp_lock:
            if (picture := self._newest) is None:
                raise DeviceTrouble("camera: no picture yet")
            return self._sharp.encode(picture, bits)

    # --- the camera's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        opened = True
        while not self._stop.is_set():
            try:
                if not opened:
                    self.source.open()
                opened = True
                self._film()
            except DeviceTrouble as trouble:
                self._reason = trouble.text
                if opened:
                    self.source.close()
                opened = False
                self._stop.wait(_RETRY_S[min(self._tries, len(_RETRY_S) - 1)])
                self._tries += 1
        if opened:
            self.source.close()

    def _film(self) -> None:
        encoder = self._encoder = self._make_encoder(self._bitrate_bps)
        if self._encoding is not None:
            encoder.set_encoding(self._encoding)
        last_s = self._now()
        try:
            while not self._stop.is_set():
                picture = self.source.next(self._stop)
                if picture is None:
                    if self._now() - last_s >= HANGS_S:
                        raise DeviceTrouble("camera: gives no picture any more")
                    continue
                last_s = self._now()
                self._seen()
                self._newest = picture
                self._pictures.put(picture)
                if unit := encoder.encode(picture):
                    self._hand_over(unit, encoder)
        finally:
            self._encoder = self._newest = None
            encoder.close()

    def _hand_over(self, unit: AccessUnit, encoder: Encoder) -> None:
        if len(self._packets) >= PACKETS_WAITING:
            self._packets.clear()
            self._skipping = True
            encoder.request_keyframe()
        if self._skipping and not unit.keyframe:
            return
        self._skipping = False
        self._packets.put(unit)

    def _seen(self) -> None:
        self._seen_s = self._now()
        self._tries = 0
        if self._told:
            self._told = False
            log.warning("camera: back")

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Tells of a lost camera, also where its driver blocks for good."""
        while True:
            await asyncio.sleep(self._watch_s)
            if not self._told and self._now() - self._seen_s >= self._lost_s:
                self._told = True
                log.warning("%s", self._reason)
                self._packets.put(DeviceTrouble(self._reason))
                self._pictures.put(DeviceTrouble(self._reason))
