"""picamera2 on libcamera's virtual camera, which differs from a board's in four things. All of them are adapted here,
on the tests' side: the adapter that is tried is the one that runs on a board.

- picamera2 wants two libraries at import that nothing here uses (DRM previews, raw photographs): stand-ins.
- It asks the camera for its raw modes, and a virtual one has none: its video modes are named instead.
- It gives each NV12 buffer one plane, where the virtual camera takes two.
- Its software encoder knows no PyAV newer than 16: a keyframe is asked for by number there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PLUG = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")


class _AnyName:
    def __getattr__(self, name: str) -> str:
        return name


def _stand_in(name: str, **attributes: object) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module


def adapt() -> None:
    """Before anything imports picamera2."""
    _stand_in("pykms", PixelFormat=_AnyName())
    _stand_in("pidng")
    _stand_in("pidng.camdefs", Picamera2Camera=object)
    _stand_in("pidng.core", PICAM2DNG=object)
    from picamera2 import picamera2 as module

    module.Picamera2._get_raw_modes = _video_modes
    module.DmaAllocator = _two_planes(module.DmaAllocator)


def _video_modes(camera: Any) -> list[dict[str, object]]:
    import libcamera

    formats = camera.camera.generate_configuration([libcamera.StreamRole.VideoRecording]).at(0).formats
    return [
        {"format": str(pixels), "size": (size.width, size.height)}
        for pixels in formats.pixel_formats
        for size in formats.sizes(pixels)
    ]


def _two_planes(base: Any) -> Any:
    import libcamera

    class TwoPlanes(base):  # type: ignore[misc]  # untyped base
        def allocate(self, config: Any, use_case: Any) -> None:
            super().allocate(config, use_case)
            for stream in config:
                if str(stream.pixel_format) == "NV12":
                    luma = stream.stride * stream.size.height
                    buffers = self.frame_buffers[stream.stream]
                    self.frame_buffers[stream.stream] = [self._parted(buffer, luma) for buffer in buffers]

        def _parted(self, buffer: Any, luma: int) -> Any:
            y, uv = libcamera.FrameBuffer.Plane(), libcamera.FrameBuffer.Plane()
            y.fd = uv.fd = buffer.planes[0].fd
            y.offset, y.length = 0, luma
            uv.offset, uv.length = luma, luma // 2
            parted = libcamera.FrameBuffer([y, uv])
            self.mapped_buffers[parted] = self.mapped_buffers.pop(buffer)
            self.libcamera_fds.append(parted.planes[0].fd)  # planes have descriptors of their own
            self.mapped_buffers_used[parted.planes[0].fd] = False
            return parted

    return TwoPlanes


def software_h264(bitrate_bps: int, fps: int) -> Any:
    """picamera2's encoder on the CPU, in place of the board's: the same calls, other threads."""
    import av
    from av.video.frame import PictureType
    from picamera2 import MappedArray
    from picamera2.encoders import LibavH264Encoder

    class Software(LibavH264Encoder):  # type: ignore[misc]  # untyped base
        _key_frames_generated: int

        def _encode(self, stream: str, request: Any) -> None:
            with MappedArray(request, stream) as mapped:
                frame = av.VideoFrame.from_ndarray(mapped.array, format=self._av_input_format)
            frame.pts = self._timestamp(request)
            if self._key_frames_requested > self._key_frames_generated:
                self._key_frames_generated = self._key_frames_requested
                frame.pict_type = PictureType.I
            for packet in self._stream.encode(frame):
                self.outputframe(bytes(packet), packet.is_keyframe, timestamp=packet.pts)

    encoder = Software(bitrate=bitrate_bps, iperiod=10 * fps, framerate=fps, profile="constrained baseline")
    encoder.threads = 1  # its frame threads would hold pictures back, which a board does not
    return encoder


def starved(camera: Any) -> list[Any]:
    """Takes all of a running camera's buffers, so that no picture can come any more, until they are released."""
    held = []
    while True:
        try:
            held.append(camera.capture_request(wait=False).get_result(timeout=1.0))
        except TimeoutError:
            return held
