"""Everything that reaches into private names of paho-mqtt 2.2; nothing else of ours does.

paho reads each packet by three small reads, makes dozens of objects of a PUBLISH (of its properties, even where there
are none), and writes each acknowledgement by itself after waking its thread for it. That is half of what a desk spends
where a fleet tells everything at once. `LeanClient` reads what is there in one go, takes the plain PUBLISHes out of it,
and writes any number of small packets as one; all else is paho's as ever: connecting, TLS, keep-alive, its thread.
tests/contract/test_paho_hooks.py fails loudly where a name used here is gone or means something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket

from kiosk.errors import Malformed
from kiosk.link.packets import PUBACK, Published, Splitter, read_plain

READ_BYTES = 256 * 1024
_FINE, _LOST, _PROTOCOL = (
    MQTTErrorCode.MQTT_ERR_SUCCESS,
    MQTTErrorCode.MQTT_ERR_CONN_LOST,
    MQTTErrorCode.MQTT_ERR_PROTOCOL,
)


class LeanClient(paho.Client):
    """A paho client for MQTT 5, for one connection. `deliver` is given plain PUBLISHes, all that came at once; those
    with properties go to `on_message`. Both in paho's thread, and in the order in which the broker sent them; while
    they wait nothing more is read. `largest`: packet, in bytes; a larger one ends the connection.
    """

    def __init__(self, deliver: Callable[[list[Published]], None], largest: int, **settings: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, **settings)
        self._deliver = deliver
        self._splitter = Splitter(largest)

    def send(self, packets: bytes) -> None:
        """Whole packets, one behind the other, none of which is answered. From any thread.

        paho is told that it is a PUBACK: of those it waits for nothing.
        """
        self._packet_queue(PUBACK, packets, 0, 1)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Called by paho's loop when the socket has something; all that is there, not `max_packets`."""
        try:
            data = self._sock_recv(READ_BYTES)
        except BlockingIOError:
            return _FINE
        except OSError:
            data = b""
        code = self._take(data) if data else _LOST
        return self._loop_rc_handle(code) if code else code

    def _take(self, data: bytes) -> MQTTErrorCode:
        with self._msgtime_mutex:
            self._last_bytes_received = paho.time_func()
        plain: list[Published] = []
        try:
            for first, body in self._splitter.feed(data):
                if message := read_plain(first, body):
                    plain.append(message)
                    continue
                plain = self._hand_over(plain)
                code = self._handle(first, body)
                if code or self._sock is None:  # it said that this was the end
                    return code
        except (Malformed, MalformedPacket, UnicodeDecodeError):  # the last of a topic that paho does not look at
            return _PROTOCOL
        finally:
            self._hand_over(plain)
        return _FINE

    def _hand_over(self, plain: list[Published]) -> list[Published]:
        if plain:
            self._deliver(plain)
        return []

    def _handle(self, first: int, body: bytes) -> MQTTErrorCode:
        """As paho does it, when it has read a packet to its end."""
        self._in_packet = {
            "command": first,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "to_process": 0,
            "pos": 0,
        }
        return self._packet_handle()
