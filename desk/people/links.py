"""Sign-in links; apart from desk/people/guard.py so that the command that prints one needs no web framework."""

from __future__ import annotations

import secrets

from desk.config import Config
from desk.seals import Enter, Seals


def sign_in_link(config: Config, seals: Seals, person: str, minutes: float) -> str:
    """The address that signs this person in, once.

    Raises:
        KeyError: there is nobody of this id.
    """
    if all(p.id != person for p in config.people):
        raise KeyError(person)
    claims = Enter(person, secrets.token_hex(16), seals.until(60 * minutes))
    return f"{config.url}/enter/{seals.seal('enter', claims)}"
