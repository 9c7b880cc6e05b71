"""What every microphone and speaker promises, on each one that runs without hardware."""

from __future__ import annotations

import asyncio
import math
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from kiosk.errors import DeviceTrouble
from kiosk.hw.ports import SAMPLE_RATE_HZ, SAMPLES_PER_BLOCK, Samples
from kiosk.hw.sim.sound import SILENCE_DBFS, MeterSink, MeterSpeaker, ToneMicrophone, dbfs, machine_sound
from kiosk.hw.sound import BLOCK_S, WAITING, Discard, Silence, ThreadMicrophone, ThreadSpeaker
from kiosk.hw.sound_file import FileSource


@pytest.fixture(params=["tone", "file", "none"])
def microphone(request: pytest.FixtureRequest, tmp_path: Path) -> ThreadMicrophone:
    if request.param == "tone":
        return ToneMicrophone()
    if request.param == "none":
        return ThreadMicrophone(Silence())
    return ThreadMicrophone(FileSource(str(a_sound(tmp_path / "beep.wav"))))


async def test_blocks_are_20_ms_of_mono_int16(microphone: ThreadMicrophone) -> None:
    async with microphone:
        blocks = microphone.blocks()
        for _ in range(5):
            block = await anext(blocks)
            assert block.shape == (SAMPLES_PER_BLOCK,)
            assert block.dtype == np.int16


async def test_sound_comes_no_faster_than_it_is(microphone: ThreadMicrophone) -> None:
    async with microphone:
        blocks = microphone.blocks()
        await anext(blocks)
        began_s = asyncio.get_running_loop().time()
        for _ in range(10):
            await anext(blocks)
        assert asyncio.get_running_loop().time() - began_s > 0.15


async def test_closing_ends_the_blocks_and_it_can_be_opened_again(microphone: ThreadMicrophone) -> None:
    for _ in range(2):
        async with microphone:
            blocks = microphone.blocks()
            await anext(blocks)
        assert len([block async for block in blocks]) <= WAITING


async def test_a_microphone_that_is_not_there_says_so_when_opened(tmp_path: Path) -> None:
    with pytest.raises(DeviceTrouble, match=r"none\.wav"):
        await ThreadMicrophone(FileSource(str(tmp_path / "none.wav"))).__aenter__()


async def test_a_lost_microphone_is_told_in_its_blocks() -> None:
    source = Pullable()
    async with ThreadMicrophone(source) as microphone:
        blocks = microphone.blocks()
        await anext(blocks)
        source.pulled.set()
        with pytest.raises(DeviceTrouble, match="pulled out"):
            [_ async for _ in blocks]
    with pytest.raises(DeviceTrouble, match="pulled out"):
        await microphone.__aenter__()
    source.pulled.clear()
    async with microphone:
        assert len(await anext(microphone.blocks())) == SAMPLES_PER_BLOCK


def test_a_file_is_resampled_and_looped(tmp_path: Path) -> None:
    source = FileSource(str(a_sound(tmp_path / "beep.wav")))
    source.open()
    heard = np.concatenate([source.read() for _ in range(40)])  # 0.8 s out of 0.5 s
    source.close()
    spectrum = np.abs(np.fft.rfft(heard[: SAMPLE_RATE_HZ // 5]))
    assert np.argmax(spectrum) * 5 == pytest.approx(1000, abs=10)
    assert dbfs(heard[-SAMPLES_PER_BLOCK:]) > -20


# --- speakers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sink", [MeterSink(), Discard()], ids=["meter", "none"])
async def test_playing_never_blocks_and_what_waits_too_long_is_dropped(sink: MeterSink | Discard) -> None:
    async with ThreadSpeaker(sink) as speaker:
        for _ in range(200):
            speaker.play(a_tone(SAMPLES_PER_BLOCK))
        if isinstance(sink, MeterSink):
            assert speaker.dropped >= 200 - WAITING - 25


async def test_the_meter_hears_what_was_played() -> None:
    speaker = MeterSpeaker()
    assert speaker.level_dbfs() == SILENCE_DBFS
    tone = a_tone(5 * SAMPLES_PER_BLOCK)
    async with speaker:
        for block in tone.reshape(5, -1):
            speaker.play(block)
        async with asyncio.timeout(10):
            while len(speaker.recent()) < len(tone):
                await asyncio.sleep(0.005)
        assert np.array_equal(speaker.recent(), tone)
    assert len(speaker.recent()) == len(tone)  # also after it was closed


async def test_a_lower_volume_is_quieter_and_nothing_else() -> None:
    sink = PullableSink()
    block = a_tone(SAMPLES_PER_BLOCK)
    async with ThreadSpeaker(sink, 0.5) as speaker:
        speaker.play(block)
        async with asyncio.timeout(10):
            while not sink.played:
                await asyncio.sleep(0.005)
    assert sink.played[0].dtype == np.int16
    assert np.abs(2 * sink.played[0].astype(int) - block).max() <= 1


async def test_a_lost_speaker_says_so_and_works_when_opened_anew() -> None:
    sink = PullableSink()
    speaker = ThreadSpeaker(sink)
    async with speaker:
        speaker.play(a_tone(SAMPLES_PER_BLOCK))
        sink.pulled.set()
        speaker.play(a_tone(SAMPLES_PER_BLOCK))
        with pytest.raises(DeviceTrouble, match="pulled out"):
            await asyncio.wait_for(speaker.lost(), 10)
        for _ in range(3 * WAITING):
            speaker.play(a_tone(SAMPLES_PER_BLOCK))  # into nothing, and never blocks
    sink.pulled.clear()
    async with speaker:
        played = len(sink.played)
        speaker.play(a_tone(SAMPLES_PER_BLOCK))
        async with asyncio.timeout(10):
            while len(sink.played) == played:
                await asyncio.sleep(0.005)
        assert len(sink.played) == played + 1  # what waited meanwhile is not played late


async def test_a_speaker_that_is_closed_is_not_lost() -> None:
    speaker = ThreadSpeaker(Discard())
    async with speaker:
        waiting = asyncio.create_task(speaker.lost())
        await asyncio.sleep(0)
    await asyncio.wait_for(waiting, 10)


@pytest.mark.parametrize("faster", [0.998, 1.002], ids=["slower", "faster"])
def test_a_speaker_with_another_clock_neither_lags_nor_falls_silent(faster: float) -> None:
    """Twenty times what sound cards differ by, for two minutes: 240 ms would have gathered."""
    sink = ClockedSink(buffer_s=0.06)
    speaker = ThreadSpeaker(sink)
    for tick in range(6000):
        sink.now_s = tick * BLOCK_S * faster
        speaker.play(a_tone(SAMPLES_PER_BLOCK))
        while speaker._waiting.qsize() and sink.has_room:
            speaker._sound()
        assert speaker._waiting.qsize() <= 5
    assert speaker.dropped == 0
    assert sink.gaps <= 1  # before it had begun


def test_the_meter_falls_silent_and_forgets() -> None:
    clock = [10.0]
    meter = MeterSink(keep_s=0.06, now=lambda: clock[0])
    meter.open()
    for _ in range(5):
        meter.write(a_tone(SAMPLES_PER_BLOCK))
    assert meter.level_dbfs() == pytest.approx(-9, abs=1)  # half of full scale is -6 dB, a sine's RMS 3 dB less
    assert len(meter.recent()) == 3 * SAMPLES_PER_BLOCK
    clock[0] += 0.2
    assert meter.level_dbfs() == SILENCE_DBFS


def test_the_machine_is_heard_but_not_loud_and_its_loop_has_no_click() -> None:
    sound = machine_sound()
    assert -40 < dbfs(sound) < -18
    assert np.abs(sound).max() < 16_000
    quiet = sound[int(1.2 * SAMPLE_RATE_HZ) : int(1.3 * SAMPLE_RATE_HZ)]
    chime = sound[int(0.2 * SAMPLE_RATE_HZ) : int(0.4 * SAMPLE_RATE_HZ)]
    assert dbfs(chime) > dbfs(quiet) + 6
    assert np.array_equal(sound, machine_sound())


# --- helpers ----------------------------------------------------------------------------------------------------------


class Pullable:
    """A microphone whose plug can be pulled."""

    live = False

    def __init__(self) -> None:
        self.pulled = threading.Event()

    def open(self) -> None:
        if self.pulled.is_set():
            raise DeviceTrouble("microphone: pulled out")

    def read(self) -> Samples:
        self.open()
        return np.zeros(SAMPLES_PER_BLOCK, np.int16)

    def close(self) -> None:
        pass


class PullableSink:
    """A speaker whose plug can be pulled."""

    def __init__(self) -> None:
        self.pulled = threading.Event()
        self.played: list[Samples] = []

    def open(self) -> None:
        if self.pulled.is_set():
            raise DeviceTrouble("speaker: pulled out")

    def write(self, block: Samples) -> None:
        self.open()
        self.played.append(block)

    def left_s(self) -> float:
        return 0.0

    def close(self) -> None:
        pass


class ClockedSink(PullableSink):
    """A speaker that plays by a clock of its own."""

    def __init__(self, buffer_s: float) -> None:
        super().__init__()
        self.now_s = 0.0
        self.gaps = 0
        self._buffer_s = buffer_s
        self._until_s = 0.0

    @property
    def has_room(self) -> bool:
        return self._until_s - self.now_s <= self._buffer_s - BLOCK_S

    def write(self, block: Samples) -> None:
        if self._until_s <= self.now_s:
            self.gaps += 1
            self._until_s = self.now_s + self._buffer_s / 2
        self._until_s += len(block) / SAMPLE_RATE_HZ

    def left_s(self) -> float:
        return max(0.0, self._until_s - self.now_s)


def a_tone(count: int) -> Samples:
    t = np.arange(count) / SAMPLE_RATE_HZ
    return np.round(16384 * np.sin(2 * math.pi * 1000 * t)).astype(np.int16)


def a_sound(path: Path) -> Path:
    """Half a second of 1 kHz in stereo at 44.1 kHz."""
    t = np.arange(22_050) / 44_100
    wave = np.round(12_000 * np.sin(2 * math.pi * 1000 * t)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        frame = AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), "s16", "stereo")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
