"""A PipeWire of our own with a simulated room in it, and the echo canceller as the image sets it up.

Speaker and microphone of the room are PipeWire nodes; what the speaker plays reaches the microphone a little later, and
so does what is played into the room's air. No session bus, no hardware, no root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ECHO_CANCEL = Path(__file__).parents[2] / "image-build" / "pipewire" / "kiosk-echo-cancel.conf"
ECHO_AFTER_S = 0.03
PROGRAMS = ("pipewire", "wireplumber", "pw-link")
READY_S = 20.0

DAEMON = """
context.properties = {
    support.dbus = false, core.daemon = true, core.name = pipewire-0, mem.allow-mlock = false
    default.clock.rate = 48000, default.clock.quantum = 480, default.clock.min-quantum = 480
}
context.spa-libs = { audio.convert.* = audioconvert/libspa-audioconvert, support.* = support/libspa-support }
context.modules = [
    { name = libpipewire-module-protocol-native }
    { name = libpipewire-module-metadata }
    { name = libpipewire-module-spa-node-factory }
    { name = libpipewire-module-client-node }
    { name = libpipewire-module-client-device }
    { name = libpipewire-module-adapter }
    { name = libpipewire-module-link-factory }
    { name = libpipewire-module-session-manager }
    { name = libpipewire-module-access }
    { name = libpipewire-module-loopback args = {
        audio.position = [ MONO ]
        capture.props = { node.name = "microphone-in", target.object = "room-air", stream.capture.sink = true }
        playback.props = { node.name = "room-microphone", media.class = Audio/Source, priority.session = 100 }
    } }
    { name = libpipewire-module-loopback args = {
        audio.position = [ MONO ], target.delay.sec = ECHO_AFTER_S
        capture.props = { node.name = "echo-in", target.object = "room-speaker", stream.capture.sink = true }
        playback.props = { node.name = "echo-out", target.object = "room-air" }
    } }
]
context.objects = [
    { factory = adapter args = { factory.name = support.null-audio-sink, node.name = "room-speaker"
        media.class = Audio/Sink, audio.position = [ MONO ], priority.session = 200 } }
    { factory = adapter args = { factory.name = support.null-audio-sink, node.name = "room-air"
        media.class = Audio/Sink, audio.position = [ MONO ], priority.session = 1 } }
]
"""
# wireplumber 0.4 and 0.5; both want a session bus and a sound card unless told otherwise
NO_DEVICES_LUA = """
alsa_monitor.enabled = false
v4l2_monitor.enabled = false
libcamera_monitor.enabled = false
alsa_monitor.properties["alsa.reserve"] = false
default_access.properties["enable-flatpak-portal"] = false
"""
NO_DEVICES = """
wireplumber.profiles = { main = {
    monitor.alsa = disabled, monitor.alsa-midi = disabled, monitor.bluez = disabled, monitor.bluez-midi = disabled
    monitor.v4l2 = disabled, monitor.libcamera = disabled, support.reserve-device = disabled
    support.portal-permissionstore = disabled, support.logind = disabled
} }
"""


def missing() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def sound_site(folder: Path) -> Iterator[dict[str, str]]:
    """Runs it; yields what the environment of its clients must hold."""
    environment = _written(folder)
    with ExitStack() as stack:
        for program in ("pipewire", "wireplumber"):
            stack.enter_context(_running(program, folder, environment))
            _until_linked(environment, "Audio" if program == "wireplumber" else "")
        yield environment


def _written(folder: Path) -> dict[str, str]:
    config, run = folder / "config", folder / "run"
    files = {
        "pipewire/pipewire.conf": DAEMON.replace("ECHO_AFTER_S", str(ECHO_AFTER_S)),
        "pipewire/pipewire.conf.d/kiosk-echo-cancel.conf": ECHO_CANCEL.read_text(),
        "wireplumber/main.lua.d/51-no-devices.lua": NO_DEVICES_LUA,
        "wireplumber/bluetooth.lua.d/51-no-devices.lua": "bluez_monitor.enabled = false\n",
        "wireplumber/wireplumber.conf.d/51-no-devices.conf": NO_DEVICES,
    }
    for name, text in files.items():
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run.mkdir(mode=0o700, parents=True)
    return {"XDG_RUNTIME_DIR": str(run), "XDG_CONFIG_HOME": str(config), "XDG_STATE_HOME": str(folder / "state")}


@contextmanager
def _running(program: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([program], env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_linked(environment: dict[str, str], wanted: str) -> None:
    """Waits for the daemon to answer, and with `wanted` until the canceller has found the room."""
    end_s = time.monotonic() + READY_S
    while time.monotonic() < end_s:
        answer = subprocess.run(["pw-link", "-l"], env={**os.environ, **environment}, capture_output=True, check=False)
        links = answer.stdout.decode()
        if answer.returncode == 0 and (
            not wanted or ("kiosk-echo-capture" in links and "kiosk-echo-playback" in links)
        ):
            return
        time.sleep(0.1)
    raise TimeoutError("PipeWire does not come up")
