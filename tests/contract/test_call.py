"""A call with real aiortc peers as participants."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from aiortc import RTCRtpSender, RTCSessionDescription

from kiosk.call.mixer import SILENCE
from kiosk.call.timeline import Timeline
from kiosk.config import CallSettings
from kiosk.errors import Full, Malformed
from kiosk.hw.ports import Encoding
from kiosk.session import inputs
from kiosk.session.record import Call as CallRecord
from kiosk.session.record import Recording
from kiosk.wire import channel
from kiosk.wire.timeline import Line, PictureStep
from tests.contract.call_site import CONSENT, SESSION, SETTINGS, a_call
from tests.contract.fakes import (
    FPS,
    HEIGHT,
    WIDTH,
    Clock,
    Peer,
    bar_of,
    strength,
    until,
)


async def test_a_participant_gets_picture_and_sound_and_a_hello(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 10 and len(ann.sound) > 60 and ann.told(channel.RecordingTold))
        hello = ann.events[0]
        assert isinstance(hello, channel.Hello)
        assert (hello.you, hello.session, hello.call) == ("Ann", "session-1", "call-1")
        assert stage.told(inputs.Joined) == [inputs.Joined(ann.person)]
        assert stage.call.people == (("Ann", hello.colour),)
        assert stage.tools.people == ["peer-ann"]
    assert stage.camera.closed == stage.microphone.closed == stage.speaker.closed == 1
    summary = stage.news[-1]
    assert isinstance(summary, inputs.CallSummary)
    assert summary.figures["joins"] == 1


async def test_the_picture_is_encoded_once_for_all(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("bob") as bob:
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))
        await until(lambda: len(ann.frames) > 20 and len(bob.frames) > 20)
        assert stage.camera.encoders == 1
        seen = [bar_of(f.to_ndarray()[: f.height]) for f in ann.frames[-5:]]
        assert [(b - a) % 16 for a, b in pairwise(seen)] == [1, 1, 1, 1]


async def test_one_who_comes_late_sees_the_next_frame_not_the_next_natural_keyframe(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5)
        async with Peer("bob") as bob:
            made = stage.camera.keyframes_made
            await bob.join(stage.call)
            await until(lambda: bob.frames, limit_s=5)  # the encoder's own period is 10 s
            assert stage.camera.keyframes_made > made


async def test_everybody_hears_the_kiosk_and_the_others_and_not_himself(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", sound_hz=1000) as ann, Peer("bob", sound_hz=1700) as bob:
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))

        def heard(peer: Peer, hz: float) -> float:
            return strength(np.concatenate(peer.sound[-50:]), hz) if len(peer.sound) > 50 else 0.0

        await until(lambda: heard(ann, 1700) > 3000 and heard(bob, 1000) > 3000 and heard(ann, 440) > 3000)
        assert heard(ann, 1000) < 500
        assert heard(bob, 1700) < 500
        await until(lambda: strength(stage.speaker.last_second, 1000) > 3000)
        assert strength(stage.speaker.last_second, 1700) > 3000
        assert strength(stage.speaker.last_second, 440) < 500
        stage.call.mute(True)
        await until(lambda: heard(ann, 440) < 300)


async def test_who_has_switched_a_microphone_off_is_shown_on_both_sides_and_to_those_who_come_again(
    tmp_path: Path,
) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", sound_hz=1000) as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.SoundTold))
        assert ann.told(channel.SoundTold) == [channel.SoundTold()]
        stage.call.mute(True)
        stage.call.mute(True)
        ann.say(channel.Mute(on=True))
        await until(lambda: len(ann.told(channel.SoundTold)) == 3)
        assert ann.told(channel.SoundTold)[-1] == channel.SoundTold(muted=True, silent=("Ann",))
        assert stage.call.silent == ("Ann",)
        async with Peer("ann") as again:  # her network has changed
            await again.join(stage.call)
            await until(lambda: again.told(channel.SoundTold))
            assert again.told(channel.SoundTold)[0].muted
            assert stage.call.muted
            await until(lambda: len(again.sound) > 5)  # few packets a second: it is silent
            assert np.abs(np.concatenate(again.sound)).max() < 20


async def test_a_call_that_goes_on_after_a_restart_is_as_silent_as_it_was(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage:
        stage.call.mute(True)
        await until(lambda: stage.told(inputs.Muted))
        assert stage.told(inputs.Muted) == [inputs.Muted("call-1", True)]
    calls = (CallRecord("call-0", "2026-01-01T00:00:00Z"), CallRecord("call-1", "2026-01-01T00:00:00Z", muted=True))
    async with a_call(tmp_path, session=msgspec.structs.replace(SESSION, calls=calls)) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.SoundTold))
        assert ann.told(channel.SoundTold)[0].muted


async def test_where_nothing_cancels_the_echo_people_speak_in_turns_and_are_told_so(tmp_path: Path) -> None:
    settings = CallSettings(loopback=True, echo="duck")
    async with a_call(tmp_path, settings=settings) as stage, Peer("ann", sound_hz=1000) as ann, Peer("bob") as bob:
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))
        await until(lambda: bob.told(channel.SoundTold))
        assert bob.told(channel.SoundTold)[0].turns
        assert stage.call.turns

        def heard(hz: float) -> float:
            return strength(np.concatenate(bob.sound[-50:]), hz) if len(bob.sound) > 50 else 0.0

        await until(lambda: heard(1000) > 3000 and heard(440) < 300)
        ann.say(channel.Mute(on=True))
        await until(lambda: heard(440) > 3000 and heard(1000) < 300)


async def test_drawing_reaches_the_tools_and_the_others(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("bob") as bob:
        stage.tools.greeting = (channel.SnapshotClose(), b"chunk")
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))
        await until(lambda: ann.chunks and bob.chunks and len(ann.told(channel.People)[-1].people) == 2)
        ann.say(channel.StrokeBegin(id="stroke-1", at=(0.5, 0.5), by="somebody else"))
        await until(lambda: bob.told(channel.StrokeBegin))
        assert bob.told(channel.StrokeBegin)[0].by == "Ann"
        assert ann.told(channel.StrokeBegin) == []
        author, event, _ = stage.tools.heard[0]
        assert (author.id, author.name, event.id) == ("peer-ann", "Ann", "stroke-1")
        ann.say(channel.MarkCreate(id="mark-1", at=(0.1, 0.1)))
        await until(lambda: ann.told(channel.Trouble))
        assert ann.told(channel.Trouble)[0].text == "not today"


async def test_frames_are_named_the_same_on_both_sides(tmp_path: Path) -> None:
    """A tap lands on the frame that was seen, and poses name the frame they belong to."""
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        stamps = wire_timestamps(ann)
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 30 and ann.told(channel.Hello))
        for number in (5, 20):
            frame = ann.frames[number]
            t = stamps[frame.pts or 0]
            ann.say(channel.StrokeBegin(id=f"stroke-{number}", at=(0, 0), t=t))
            await until(lambda: stage.tools.heard)
            _, _, captured_s = stage.tools.heard.pop()
            assert captured_s is not None
            assert stage.camera.numbers[captured_s] == bar_of(frame.to_ndarray()[: frame.height])
            mark = channel.MarkPose(id="mark-1", quad=((0, 0), (1, 0), (1, 1), (0, 1)), confidence=1, state="tracked")
            stage.tools.tell_poses(captured_s, (mark,))
            await until(lambda: ann.poses)
            assert ann.poses.pop().t == t
        ann.say(channel.StrokeBegin(id="stroke-x", at=(0, 0), t=12345))
        await until(lambda: stage.tools.heard)
        assert stage.tools.heard.pop()[2] is None


async def test_nonsense_on_a_channel_is_refused_once_and_harms_nobody(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        for nonsense in ("", "{", b"\0\xff", '{"kind": "consent"}', "[" * 10_000, "x" * 20_000):
            ann.say(nonsense)
        ann.say(channel.StrokeBegin(id="stroke-1", at=(0.5, 0.5)))
        await until(lambda: stage.tools.heard)
        assert len(ann.told(channel.Trouble)) == 1


async def test_a_flood_of_messages_is_cut_and_said_once(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        for _ in range(2000):
            ann.say(channel.Pointer(at=(0.1, 0.1)))
        await until(lambda: ann.told(channel.Trouble))
        assert [t.code for t in ann.told(channel.Trouble)] == ["flood"]
        assert len(stage.tools.heard) < 1000


async def test_tools_that_break_are_told_of_and_the_call_goes_on(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        stage.tools.broken = True
        ann.say(channel.SnapshotTake())
        await until(lambda: ann.told(channel.Trouble))
        frames = len(ann.frames)
        await until(lambda: len(ann.frames) > frames + 5)


async def test_the_staff_camera_is_shown_when_it_is_switched_on_and_taken_away_when_off(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", camera=True) as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello) and len(ann.frames) > 5)
        assert stage.staff_pictures == []
        (gate,) = stage.call.participants.of(ann.id)._cameras
        await until(lambda: gate.dropped > 5)  # what it sends is not decoded
        ann.say(channel.CameraOn(on=True))
        await until(lambda: len(stage.staff_pictures) > 3)
        picture = stage.staff_pictures[-1]
        assert picture is not None
        assert picture.size == (320, 192)
        assert picture.u.shape == (96, 160)
        assert stage.call.staff_camera
        ann.say(channel.CameraOn(on=False))
        await until(lambda: stage.staff_pictures[-1] is None)
        assert not stage.call.staff_camera
        assert not gate.is_open
        ann.say(channel.CameraOn(on=True))
        await until(lambda: stage.call.staff_camera)


async def test_of_two_staff_cameras_only_the_one_switched_on_last_is_decoded(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", camera=True) as ann, Peer("bob", camera=True) as bob:
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))
        await until(lambda: ann.told(channel.Hello) and bob.told(channel.Hello))
        (of_ann,), (of_bob,) = (stage.call.participants.of(peer.id)._cameras for peer in (ann, bob))
        ann.say(channel.CameraOn(on=True))
        await until(lambda: of_ann.is_open and stage.call.staff_camera)
        bob.say(channel.CameraOn(on=True))
        await until(lambda: of_bob.is_open and stage.call.staff_camera)
        assert (of_ann.is_open, of_bob.is_open) == (False, True)
        await stage.call.leave(bob.id)
        await until(lambda: of_ann.is_open and stage.call.staff_camera)


async def test_a_plain_client_without_channels_sees_hears_and_shows_its_camera(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", camera=True, sound_hz=1000, channels=False) as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5 and stage.staff_pictures)
        await until(lambda: strength(stage.speaker.last_second, 1000) > 3000)
        await ann.close()
        await stage.call.leave(ann.id)
        assert stage.staff_pictures[-1] is None


async def test_who_leaves_frees_everything(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5 and ann.told(channel.Hello))
        await stage.call.leave(ann.id)
        assert stage.call.people == ()
        assert stage.tools.people == []
        assert len(stage.call._relay) == 0
        assert stage.call._mixer.tick(SILENCE).participants == {}
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not [name for name in names if "peer-ann" in name and name.startswith("call-")]


async def test_the_same_peer_again_replaces_its_connection(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("ann") as again:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        await again.join(stage.call)
        await until(lambda: len(again.frames) > 5 and again.told(channel.Hello))
        assert again.told(channel.Hello) == ann.told(channel.Hello)
        assert len(stage.call.people) == 1
        await until(lambda: ann.connection.connectionState in ("closed", "failed"))


async def test_a_silent_participant_is_dropped_and_may_come_back(tmp_path: Path) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        clock.ahead_s += 3
        ann.say(channel.Heartbeat(n=1))
        await until(lambda: ann.told(channel.Heartbeat))
        clock.ahead_s += 3
        stage.call.tick()
        await asyncio.sleep(0)
        assert len(stage.call.people) == 1
        clock.ahead_s += 6
        stage.call.tick()
        await until(lambda: stage.call.people == ())
        async with Peer("ann") as again:
            await again.join(stage.call)
            await until(lambda: again.told(channel.Hello))


async def test_a_call_everybody_has_left_ends_after_a_while_and_says_so_once(tmp_path: Path) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann") as ann:
        clock.ahead_s += 1000
        stage.call.tick()
        assert stage.told(inputs.End) == []  # nobody has come yet: ringing is not the call's business
        await ann.join(stage.call)
        await until(lambda: stage.told(inputs.Joined))
        await stage.call.leave(ann.id)
        stage.call.tick()
        clock.ahead_s += SETTINGS.lost_s - 1
        stage.call.tick()
        await asyncio.sleep(0)
        assert stage.told(inputs.End) == []
        clock.ahead_s += 2
        stage.call.tick()
        stage.call.tick()
        await until(lambda: stage.told(inputs.End))
        assert stage.told(inputs.End) == [inputs.End("link_lost")]


async def test_a_call_whose_last_participant_hangs_up_ends_at_once(tmp_path: Path) -> None:
    """Whatever the desk is doing: it is told over the participant's own channel."""
    async with a_call(tmp_path, now=Clock()) as stage, Peer("ann") as ann, Peer("ben") as ben:
        for one in (ann, ben):
            await one.join(stage.call)
        await until(lambda: ann.told(channel.Hello) and ben.told(channel.Hello))
        ann.say(channel.HangUp())
        await until(lambda: len(stage.call.people) == 1)
        await until(lambda: ann.connection.connectionState in ("closed", "failed"))
        stage.call.tick()
        await asyncio.sleep(0)
        assert stage.told(inputs.End) == [], "somebody is in it"
        ben.say(channel.HangUp())
        await until(lambda: stage.call.people == ())
        stage.call.tick()
        stage.call.tick()
        await until(lambda: stage.told(inputs.End))
        assert stage.told(inputs.End) == [inputs.End("hung_up")]


async def test_who_hangs_up_does_not_end_a_call_that_somebody_is_coming_back_to(tmp_path: Path) -> None:
    clock = Clock()
    async with a_call(tmp_path, now=clock) as stage, Peer("ann") as ann:
        async with Peer("ben") as ben:
            for one in (ann, ben):
                await one.join(stage.call)
            await until(lambda: ann.told(channel.Hello) and ben.told(channel.Hello))
        await until(lambda: len(stage.call.people) == 1)  # his page is loaded anew
        ann.say(channel.HangUp())
        await until(lambda: stage.call.people == ())
        stage.call.tick()
        await asyncio.sleep(0)
        assert stage.told(inputs.End) == []
        clock.ahead_s += SETTINGS.lost_s + 1
        stage.call.tick()
        await until(lambda: stage.told(inputs.End))
        assert stage.told(inputs.End) == [inputs.End("hung_up")], "nobody is expected any more"


async def test_a_camera_that_is_unplugged_is_told_of_and_comes_back(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5 and ann.told(channel.Hello))
        stage.camera.unplug()
        await until(lambda: ann.told(channel.DeviceTold))
        stage.camera.plugged = True
        frames = len(ann.frames)
        await until(lambda: len(ann.frames) > frames + 5)
        assert [(t.name, t.works) for t in ann.told(channel.DeviceTold)] == [("camera", False), ("camera", True)]
        assert stage.devices == [("camera", False), ("camera", True)]


async def test_a_camera_that_is_away_for_a_while_stands_in_the_recordings_timeline(tmp_path: Path) -> None:
    async with a_call(tmp_path, timeline=Timeline("call-1")) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5 and ann.told(channel.Hello))
        stage.call.record(True, True)
        await until(lambda: stage.call.recording and len(list(tmp_path.glob("*.timeline.jsonl"))) == 1)
        stage.camera.unplug()
        await until(lambda: len(ann.told(channel.DeviceTold)) == 1)
        stage.camera.plugged = True
        await until(lambda: len(ann.told(channel.DeviceTold)) == 2)
    told = (tmp_path / "recording-1.timeline.jsonl").read_bytes().splitlines()
    away = [line for line in (msgspec.json.decode(x, type=Line) for x in told)
            if isinstance(line.what, channel.DeviceTold)]  # fmt: skip
    assert [line.what.works for line in away if isinstance(line.what, channel.DeviceTold)] == [False, True]
    assert 0 < away[0].at_s < away[1].at_s


async def test_without_a_microphone_people_still_hear_each_other(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", sound_hz=1000) as ann, Peer("bob") as bob:
        stage.microphone.plugged = False
        await asyncio.gather(ann.join(stage.call), bob.join(stage.call))
        await until(lambda: len(bob.sound) > 60 and strength(np.concatenate(bob.sound[-50:]), 1000) > 3000)


async def test_a_camera_that_hangs_while_closing_does_not_keep_the_call(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with a_call(tmp_path) as stage:
        await until(lambda: stage.pictures)
        stage.camera.hangs_closing = True
        begin_s = loop.time()
    assert loop.time() - begin_s < 4  # 2 s, and a slow machine


async def test_a_connection_that_hangs_while_closing_is_taken_its_sockets(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Hello))
        connection: Any = stage.call.participants.of(ann.id)._way.connection
        close = connection.close
        connection.close = asyncio.Event().wait
        await stage.call.leave(ann.id)
        assert stage.call.people == ()
        assert {t.transport.transport.state for t in connection.getReceivers()} != {"completed"}
        await close()


@pytest.mark.parametrize("sdp", ["", "hello", "v=0\r\n", "v=0\r\nm=audio\r\n", "v=0\r\n" + "m=audio 9 x 0\r\n" * 9])
async def test_what_is_no_offer_is_refused(tmp_path: Path, sdp: str) -> None:
    async with a_call(tmp_path) as stage:
        with pytest.raises(Malformed):
            await stage.call.join("peer-x", Peer("x").person, sdp)
        assert not stage.call.participants


async def test_a_client_without_h264_gets_vp8_of_its_own_and_sends_no_camera(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", camera=True) as ann, Peer("bob") as bob:
        for transceiver in ann.connection.getTransceivers():
            if transceiver.kind == "video":
                known = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([c for c in known if c.mimeType == "video/VP8"])
        answer = await ann.join(stage.call)
        await bob.join(stage.call)
        assert "a=sendonly" in answer.partition("m=video")[2].partition("m=")[0]
        await until(lambda: len(ann.frames) > 5 and len(bob.frames) > 5 and len(ann.sound) > 20)
        assert (ann.frames[-1].width, ann.frames[-1].height) == (320, 192)
        assert stage.camera.encoders == 1
        await stage.call.leave(ann.id)
        assert not [t for t in asyncio.all_tasks() if "peer-ann" in t.get_name() and t.get_name().startswith("call-")]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_sections_that_go_by_the_first_one_s_way_are_on_though_their_port_is_0(
    tmp_path: Path, codec: str
) -> None:
    """As Firefox offers with bundlePolicy max-bundle (RFC 9143, section 6)."""
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        for transceiver in ann.connection.getTransceivers():
            if transceiver.kind == "video":
                known = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([c for c in known if c.mimeType == f"video/{codec}"])
        sdp = await ann.offer()
        bundled = re.sub(r"(?s)m=video \d+ (.*?)(?=m=|\Z)", r"m=video 0 \1a=bundle-only\r\n", sdp)
        assert "m=video 0 " in bundled
        answer = await stage.call.join(ann.id, ann.person, bundled)
        assert f"{codec}/90000" in answer
        await ann.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: len(ann.frames) > 5)


async def test_a_client_without_h264_and_vp8_is_refused_in_words(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        sdp = (await ann.offer()).replace("H264/90000", "H265/90000").replace("VP8/90000", "AV1/90000")
        with pytest.raises(Malformed, match="H\\.264"):
            await stage.call.join(ann.id, ann.person, sdp)
        camera = (await ann.offer()).replace("H264/90000", "H265/90000").replace("a=recvonly", "a=sendonly")
        with pytest.raises(Malformed, match="sends video without H\\.264"):
            await stage.call.join(ann.id, ann.person, camera)


async def test_the_answer_offers_nothing_but_h264_and_names_loopback(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        answer = await ann.join(stage.call)
        video = answer[answer.index("m=video") : answer.index("m=audio")]
        assert "H264/90000" in video
        assert "VP8" not in video
        assert " 127.0.0.1 " in answer
        assert "profile-level-id=42e01f" in video


async def test_a_full_call_takes_nobody_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.call.attendance.MAX_PARTICIPANTS", 1)
    async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("bob") as bob:
        await ann.join(stage.call)
        with pytest.raises(Full):
            await bob.join(stage.call)


async def test_candidates_may_trickle_and_bad_ones_are_refused(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        offer = await ann.offer()
        lines = [line for line in offer.splitlines() if line != "a=end-of-candidates"]
        candidates = [line.removeprefix("a=") for line in lines if line.startswith("a=candidate:")]
        bare = "\r\n".join(line for line in lines if not line.startswith("a=candidate:")) + "\r\n"
        answer = await stage.call.join(ann.id, ann.person, bare)
        with pytest.raises(Malformed):
            await stage.call.candidate(ann.id, "candidate:nonsense", "0")
        await ann.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for candidate in candidates:
            await stage.call.candidate(ann.id, candidate, "0")
        await stage.call.candidate(ann.id, "", "0")
        await stage.call.candidate("peer-unknown", candidates[0], "0")
        await until(lambda: len(ann.frames) > 3)


async def test_without_consent_not_one_byte_is_on_disk(tmp_path: Path) -> None:
    recording = Recording(allowed=True, asked=True, consent=None)
    session = msgspec.structs.replace(SESSION, recording=recording)
    async with a_call(tmp_path, session) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 20 and ann.told(channel.RecordingTold))
        assert ann.told(channel.RecordingTold)[0].state == "asked"
        assert not stage.call.recording
    assert list(tmp_path.iterdir()) == []
    assert stage.told(inputs.RecordingRuns) == []


async def test_a_recording_follows_what_is_wanted_and_each_start_is_a_file(tmp_path: Path) -> None:
    recording = Recording(allowed=True, asked=True, consent=CONSENT)
    session = msgspec.structs.replace(SESSION, recording=recording)
    async with a_call(tmp_path, session) as stage, Peer("ann", sound_hz=1000) as ann:
        await ann.join(stage.call)
        first = tmp_path / "recording-1.mp4"
        await until(lambda: ann.told(channel.RecordingTold) and first.exists() and first.stat().st_size > 10_000)
        assert stage.call.recording
        stage.call.record(False)
        await until(lambda: len(stage.told(inputs.AddArtifact)) == 1)
        size = first.stat().st_size
        await until(lambda: ann.told(channel.RecordingTold)[-1].state == "off")
        stage.call.record(True)
        await until((tmp_path / "recording-2.mp4").exists)
        await asyncio.sleep(0.3)
        assert first.stat().st_size == size
    artifacts = [n.artifact for n in stage.told(inputs.AddArtifact)]
    assert [a.name for a in artifacts] == ["recording-1.mp4", "recording-2.mp4"]
    for artifact in artifacts:
        data = (tmp_path / artifact.name).read_bytes()
        assert (artifact.bytes, artifact.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    runs = [n.running for n in stage.told(inputs.RecordingRuns)]
    assert runs == [True, False, True, False]
    with av.open(str(first)) as file:
        assert sum(1 for _ in file.decode(video=0)) > 10
    with av.open(str(first)) as file:
        sound = np.concatenate([np.asarray(f.to_ndarray()).reshape(-1) for f in file.decode(audio=0)])
    assert len(sound) > 9600


async def test_a_no_at_the_kiosk_stops_the_recording_before_the_book_has_it(tmp_path: Path) -> None:
    session = msgspec.structs.replace(SESSION, recording=Recording(allowed=True, asked=True, consent=CONSENT))
    async with a_call(tmp_path, session) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: stage.call.recording and len(ann.frames) > 10)
        stage.call.withdraw()
        stage.call.record(True, True, 0)  # older news of the book
        await until(lambda: not stage.call.recording)
        size, count = (tmp_path / "recording-1.mp4").stat().st_size, len(ann.frames)
        await until(lambda: len(ann.frames) > count + 10)
        assert (tmp_path / "recording-1.mp4").stat().st_size == size
        assert not (tmp_path / "recording-2.mp4").exists()


async def test_a_call_may_look_back_on_the_time_before_it_was_agreed_to(tmp_path: Path) -> None:
    recording = Recording(allowed=True, asked=True, look_back_s=20)
    async with a_call(tmp_path, msgspec.structs.replace(SESSION, recording=recording)) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 45)
        assert list(tmp_path.iterdir()) == []
        stage.call.record(True, True)
        await until(lambda: stage.call.recording and (tmp_path / "recording-1.mp4").exists())
        stage.call.record(False, True)
        await until(lambda: stage.told(inputs.AddArtifact))
    with av.open(str(tmp_path / "recording-1.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 40
    with av.open(str(tmp_path / "recording-1.mp4")) as file:
        assert sum(f.samples for f in file.decode(audio=0)) >= 48_000


async def test_the_timeline_says_when_the_picture_changed_its_size_from_before_consent_on(tmp_path: Path) -> None:
    recording = Recording(allowed=True, asked=True, look_back_s=20)
    session = msgspec.structs.replace(SESSION, recording=recording)
    path = tmp_path / "recording-1.mp4"
    async with a_call(tmp_path, session, timeline=Timeline("call-1")) as stage:
        for agreed, (width, height) in ((False, (160, 96)), (True, (WIDTH, HEIGHT)), (True, (240, 144))):
            frames = len(stage.pictures)
            stage.camera.set_encoding(Encoding(width, height, FPS, 400_000))
            await until(lambda frames=frames: len(stage.pictures) > frames + 10)  # type: ignore[misc]  # bound now
            stage.call.record(agreed, True)
            await until(lambda agreed=agreed: stage.call.recording == agreed)  # type: ignore[misc]
    with av.open(str(path)) as file:
        frames_ = [(f.width, f.height, float(f.time or 0)) for f in file.decode(video=0)]
    first_s = frames_[0][2]
    changes = [next(run) for _, run in groupby(frames_, key=lambda frame: frame[:2])]
    lines = [msgspec.json.decode(x, type=Line) for x in path.with_suffix(".timeline.jsonl").read_bytes().splitlines()]
    steps = [(line.what, line.at_s) for line in lines if isinstance(line.what, PictureStep)]
    assert [what for what, _ in steps] == [PictureStep(width, height) for width, height, _ in changes]
    assert [at_s for _, at_s in steps] == pytest.approx([at_s - first_s for _, _, at_s in changes], abs=0.01)
    assert len({what for what, _ in steps}) == 3
    agreed_ = [(line.what.state, line.at_s) for line in lines if isinstance(line.what, channel.RecordingTold)]
    assert [state for state, _ in agreed_] == ["on", "off"]
    assert 0.2 < agreed_[0][1] < agreed_[1][1], "what was held from before is there as well"


def wire_timestamps(peer: Peer) -> dict[int, int]:
    """The peer's own pts of a frame (90 kHz) -> its RTP timestamp, as a browser's rtpTimestamp tells it."""
    receiver: Any = peer.connection.getTransceivers()[0].receiver
    mapper: Any = receiver._RTCRtpReceiver__timestamp_mapper
    found: dict[int, int] = {}
    original = mapper.map

    def keep(timestamp: int) -> int:
        pts: int = original(timestamp)
        found[pts] = timestamp
        return pts

    mapper.map = keep
    return found


async def test_what_a_participant_saw_becomes_the_delay_that_he_and_the_session_are_told(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        await ann.join(stage.call)
        await until(lambda: ann.told(channel.Heartbeat) and len(ann.frames) > 10)
        stage.call.participants.tell_poses(stage.pictures[-10].captured_s, ())
        await until(lambda: ann.poses)
        beat, now_ms = ann.told(channel.Heartbeat)[-1], 1000 * time.monotonic()
        ann.say(channel.Heartbeat(n=1, sent_ms=now_ms + 5e6, echo_ms=beat.sent_ms, held_ms=now_ms - beat.sent_ms))
        ann.say(channel.Seen(frames=((ann.poses[-1].t, now_ms + 5e6),), freezes=1, frozen_s=0.25))
        await until(lambda: [q for q in ann.told(channel.Quality) if q.delay_ms is not None])
        quality = ann.told(channel.Quality)[-1]
        assert (quality.step, quality.width, quality.height, quality.fps) == ("full", 320, 192, 30)
    figures = stage.told(inputs.CallSummary)[-1].figures
    assert 0 <= figures["glass_to_glass_ms"] < 10_000
    assert figures["freezes"] == 1
    assert figures["at_full_s"] > 0


async def test_who_says_nothing_of_what_he_saw_leaves_no_delay_in_the_summary(tmp_path: Path) -> None:
    async with a_call(tmp_path) as stage, Peer("ann", channels=False) as ann:
        await ann.join(stage.call)
        await until(lambda: len(ann.frames) > 5)
    assert "glass_to_glass_ms" not in stage.told(inputs.CallSummary)[-1].figures
