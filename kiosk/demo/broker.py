"""The demo's Mosquitto: a process of its own on loopback, with the accounts and rules of a real site."""

from __future__ import annotations

from kiosk.fleet.broker import find_mosquitto, write_configuration

__all__ = ["find_mosquitto", "write_configuration"]
