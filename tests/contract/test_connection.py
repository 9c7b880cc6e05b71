"""What carries a participant: its encryption, and that it is noticed when it is gone."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from kiosk.call.aiortc_hooks_dtls import CallCertificate, show
from tests.contract.fakes import Peer, until
from tests.contract.test_call import a_call


class RsaCertificate(CallCertificate):
    """What GStreamer's dtlsdec shows by default."""

    def __init__(self) -> None:
        key: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a client")])
        now = datetime.datetime.now(tz=datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        super().__init__(key, builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize("setup", ["actpass", "active"])
async def test_a_client_with_an_rsa_certificate_is_let_in_whichever_end_begins(tmp_path: Path, setup: str) -> None:
    async with a_call(tmp_path) as stage, Peer("ann") as ann:
        show(ann.connection, RsaCertificate())
        offer = re.sub(r"a=setup:\w+", f"a=setup:{setup}", await ann.offer())
        answer = await stage.call.join(ann.id, ann.person, offer)
        assert ("a=setup:active" in answer) is (setup == "actpass")
        await ann.answered(answer)
        await until(lambda: len(ann.frames) > 3)


async def test_all_of_a_call_are_shown_one_certificate_and_the_next_call_s_another(tmp_path: Path) -> None:
    shown = set[str]()
    for _ in range(2):
        async with a_call(tmp_path) as stage, Peer("ann") as ann, Peer("bob") as bob:
            answers = [await peer.join(stage.call) for peer in (ann, bob)]
            both = {line for sdp in answers for line in sdp.splitlines() if line.startswith("a=fingerprint:sha-256")}
            assert len(both) == 1
            shown |= both
    assert len(shown) == 2


def test_aiortc_still_makes_its_certificate_and_context_under_the_names_we_replace() -> None:
    assert callable(RTCCertificate._create_ssl_context)
    source = Path(str(__import__("aiortc").__path__[0])) / "rtcpeerconnection.py"
    assert "RTCDtlsTransport(iceTransport, self.__certificates)" in source.read_text()
