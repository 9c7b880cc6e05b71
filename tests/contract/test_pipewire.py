"""Our ALSA adapters and the image's echo canceller on a real PipeWire, with a simulated room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from kiosk.call.ducking import level_dbfs
from kiosk.echo import AUDIBLE_DB, HEARD_DB, echo_db, tone_db
from kiosk.errors import DeviceTrouble
from kiosk.hw.alsa import AlsaSink, AlsaSource
from kiosk.hw.pipewire import bare_speaker
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.hw.sound import ThreadMicrophone, ThreadSpeaker
from tests.contract.sound_site import missing, sound_site
from tests.speech import speech

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())} (make pipewire)"),
    pytest.mark.timeout(180),
]


TRIES = 12
"""Sound in real time tears on a busy machine, and a canceller has to learn the room again after it."""


@contextmanager
def a_room(folder: Path) -> Iterator[None]:
    with sound_site(folder) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with a_room(tmp_path_factory.mktemp("pipewire")):
        yield


def played(device: str, sound: Samples) -> threading.Thread:
    """Plays it in a thread."""

    def play() -> None:
        sink = AlsaSink(device)
        sink.open()
        for block in sound.reshape(-1, SAMPLES_PER_BLOCK):
            sink.write(block)
        sink.close()

    thread = threading.Thread(target=play, name="player")
    thread.start()
    return thread


def heard(device: str, blocks: int) -> Samples:
    source = AlsaSource(device)
    source.open()
    sound = np.concatenate([source.read() for _ in range(blocks)])
    source.close()
    return sound


@pytest.mark.usefixtures("room")
def test_staff_do_not_hear_themselves_from_the_kiosk() -> None:
    """ERLE, echo return loss enhancement: how much quieter the echo is behind the canceller than before it."""
    for _ in range(TRIES):
        echo, rest = echo_before_and_behind(speech(300, amplitude=9000))
        print(f"echo {echo:.1f} dBFS, behind the canceller {rest:.1f} dBFS: ERLE {echo - rest:.1f} dB")
        if echo > -30 and echo - rest > 20:
            return
    pytest.fail(f"echo {echo:.0f} dBFS, behind the canceller {rest:.0f} dBFS")


def echo_before_and_behind(voice: Samples) -> tuple[float, float]:
    """In dBFS, once the canceller has had two seconds."""
    player = played("default", voice)
    raw: list[Samples] = []
    listener = threading.Thread(target=lambda: raw.append(heard("pipewire:NODE=room-microphone", 280)))
    listener.start()
    cancelled = heard("default", 280)
    listener.join()
    player.join()
    settled = slice(2 * SAMPLE_RATE_HZ, 5 * SAMPLE_RATE_HZ)
    return level_dbfs(raw[0][settled]), level_dbfs(cancelled[settled])


@pytest.mark.usefixtures("room")
def test_the_code_user_is_heard_through_the_canceller() -> None:
    player = played("pipewire:NODE=room-air", speech(120, amplitude=6000))
    sound = heard("default", 100)
    player.join()
    assert level_dbfs(sound[SAMPLE_RATE_HZ:]) > -35


@pytest.mark.usefixtures("room")
async def test_the_microphone_gives_blocks_in_real_time_and_the_speaker_takes_them() -> None:
    loop = asyncio.get_running_loop()
    async with ThreadMicrophone(AlsaSource("default")) as microphone, ThreadSpeaker(AlsaSink("default")) as speaker:
        blocks = microphone.blocks()
        await anext(blocks)
        begin_s = loop.time()
        for _ in range(50):
            block = await anext(blocks)
            assert block.shape == (SAMPLES_PER_BLOCK,)
            assert block.dtype == np.int16
            speaker.play(block)
        assert 0.7 < loop.time() - begin_s < 5
    async with ThreadMicrophone(AlsaSource("default")) as microphone:  # opened again
        await anext(microphone.blocks())


@pytest.mark.usefixtures("room")
def test_the_speaker_holds_no_more_than_its_buffer() -> None:
    sink = AlsaSink("default")
    sink.open()
    left_s = []
    for block in speech(60).reshape(-1, SAMPLES_PER_BLOCK):
        sink.write(block)
        left_s.append(sink.left_s())
    sink.close()
    assert 0 < max(left_s) < 0.15


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("microphone", "speaker", "heard"),
    [
        ("default", "default", False),
        ("pipewire:NODE=room-microphone", "pipewire:NODE=room-speaker", True),
    ],
)
async def test_an_installer_is_told_whether_the_echo_is_cancelled(microphone: str, speaker: str, heard: bool) -> None:
    for _ in range(TRIES):
        async with ThreadMicrophone(AlsaSource(microphone)) as ear, ThreadSpeaker(AlsaSink(speaker)) as mouth:
            louder_db = await echo_db(ear, mouth)
        if (louder_db > AUDIBLE_DB) is heard:
            return
    pytest.fail(f"{louder_db:.0f} dB above the room")


@pytest.mark.usefixtures("room")
async def test_a_test_tone_goes_around_the_canceller_and_is_heard_behind_it() -> None:
    speaker = bare_speaker()
    assert speaker == "room-speaker"
    for _ in range(TRIES):
        async with (
            ThreadMicrophone(AlsaSource("default")) as ear,
            ThreadSpeaker(AlsaSink(f"pipewire:NODE={speaker}")) as mouth,
        ):
            louder_db = await tone_db(ear, mouth)
        if louder_db >= HEARD_DB:
            return
    pytest.fail(f"{louder_db:.0f} dB above the room")


@pytest.mark.usefixtures("room")
async def test_sound_that_goes_away_is_told_and_comes_back_when_opened_anew(tmp_path: Path) -> None:
    microphone, speaker = ThreadMicrophone(AlsaSource("default")), ThreadSpeaker(AlsaSink("default"))

    async def talk() -> None:
        while True:
            speaker.play(speech(1))
            await asyncio.sleep(0.02)

    async def listen() -> None:
        async for _ in microphone.blocks():
            pass

    other = a_room(tmp_path)
    await asyncio.to_thread(other.__enter__)
    async with microphone, speaker:
        talking = asyncio.create_task(talk())
        await anext(microphone.blocks())
        troubles = [asyncio.create_task(waiting) for waiting in (listen(), speaker.lost())]
        await asyncio.to_thread(other.__exit__, None, None, None)  # as if PipeWire had crashed
        for trouble in troubles:
            with pytest.raises(DeviceTrouble):
                await asyncio.wait_for(trouble, 20)
        talking.cancel()
    async with microphone, speaker:  # the room's is there
        await anext(microphone.blocks())


@pytest.mark.parametrize("adapter", [AlsaSource, AlsaSink])
def test_a_device_that_is_not_there_says_so(adapter: type[AlsaSource] | type[AlsaSink]) -> None:
    with pytest.raises(DeviceTrouble, match="no-such-card"):
        adapter("no-such-card").open()
