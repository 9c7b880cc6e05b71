"""Webhooks of a desk, put together."""

from __future__ import annotations

import time

from desk.addresses import networks
from desk.config import Config
from desk.sessions.store import Store
from desk.webhooks.courier import Courier
from desk.webhooks.outgoing import Outgoing
from desk.webhooks.rows import WebhookRows
from desk.webhooks.signature import Sealed
from kiosk.errors import ConfigError


def build(config: Config, url: str, secret: bytes, store: Store) -> tuple[WebhookRows, Outgoing, Courier]:
    """
    Raises:
        ConfigError: the file of certificates cannot be read.
    """
    rows = WebhookRows(store.transactions, Sealed(secret), url, time.time)
    store.noted.append(rows.note)
    try:
        outgoing = Outgoing(networks(config.webhooks.networks), config.webhooks.ca_file)
    except OSError as error:  # ssl's errors are some
        raise ConfigError(f"webhooks: ca_file: {error.strerror or error}") from error
    return rows, outgoing, Courier(rows, outgoing.post)
