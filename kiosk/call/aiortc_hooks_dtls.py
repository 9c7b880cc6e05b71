"""The certificate that a call shows its participants, in place of one that aiortc makes for each of them.

aiortc 1.16 speaks with holders of ECDSA certificates only, as browsers are. GStreamer (1.22's dtlsdec) and others bring
an RSA certificate; where such a client is the DTLS server, which an offer with `a=setup:actpass` makes it, the
handshake ended with "no shared cipher". Ours stays ECDSA on P-256 (RFC 8827, section 6.5).
tests/contract/test_aiortc_hooks.py fails where a name used here is gone or means something else.
"""

from __future__ import annotations

from typing import Any, cast

from aiortc import RTCCertificate, RTCPeerConnection

CIPHERS = (
    b":".join(
        cipher
        for key in (b"ECDSA", b"RSA")
        for cipher in (b"ECDHE-%b-AES128-GCM-SHA256" % key, b"ECDHE-%b-CHACHA20-POLY1305" % key)
    )
    + b":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
"""aiortc's, and what an RSA certificate needs of them with authenticated encryption."""


class CallCertificate(RTCCertificate):
    """Of one call: made once, where a new key for each join costs a Pi some milliseconds of the loop."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context


def show(connection: RTCPeerConnection, certificate: CallCertificate) -> None:
    """Before the remote description is applied: then its transports are made."""
    cast(Any, connection)._RTCPeerConnection__certificates = [certificate]
