"""How both programs read their settings: strict TOML, and secrets from files of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from kiosk.errors import ConfigError

T = TypeVar("T")


def load(path: Path, kind: type[T]) -> T:
    """The settings in `path` as a `kind`.

    Raises:
        ConfigError: the file is not there, is no TOML, or a key is unknown, missing or of the wrong kind; file and key
            are named.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {in_words(str(error))}") from error


def read_secret(path: str) -> str:
    """The secret in a file, or from systemd's credentials where the name has no slash; empty for no path.

    Raises:
        ConfigError: it cannot be read.
    """
    if not path:
        return ""
    place = Path(place_of(path))
    try:
        return place.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error


def place_of(path: str) -> str:
    """A path as it is; a name without a slash lies among systemd's credentials, where there are any. Empty stays so."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return f"{folder}/{path}" if path and folder and "/" not in path else path


def in_words(error: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.broker.port`" with the key first."""
    text, at, key = error.rpartition(" - at `$")
    return f"{key.strip('`').lstrip('.') or 'top level'}: {text}" if at else error
