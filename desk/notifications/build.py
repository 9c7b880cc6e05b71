"""The parts of this room, put together from the desk's settings."""

from __future__ import annotations

import time

from desk.config import Config
from desk.notifications.alerts import Alerts
from desk.notifications.channels import Channels
from desk.notifications.keys import PlaceBox, PushKeys
from desk.notifications.notifier import Notifier
from desk.notifications.words import Words
from desk.sessions.store import Store
from kiosk.settings import read_secret


def build(config: Config, url: str, secret: bytes, store: Store) -> Notifier:
    """
    Raises:
        ConfigError: a file with an address cannot be read.
    """
    settings, box = config.notifications, PlaceBox(secret)
    return Notifier(
        Alerts(store.transactions, store.notices, settings, box.id, time.time),
        Channels(store.transactions, box, time.time),
        PushKeys(store.transactions, box),
        store,
        settings,
        Words(config.language),
        url,
        [read_secret(channel.address_file) for channel in settings.channels],
        read_secret(settings.mail_file),
    )
