"""Passwords: hashed by argon2id in threads, so that the loop goes on, and few at a time, so that memory does."""

from __future__ import annotations

import asyncio
import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from desk.problems import Problem

LEAST, MOST = 12, 256
DIFFERENT = 5
AT_ONCE = 2
"""Each takes 64 MiB (argon2-cffi's defaults, RFC 9106 4.2)."""

_REPEATED = re.compile(r"(.{1,12})\1+", re.DOTALL)


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobodys = self._hasher.hash("of nobody")
        """What is compared where there is no password: unknown names take as long as known ones."""

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _plain(password))

    async def fits(self, hashed: str, password: str) -> bool:
        """Whether this is the one; never where none is set, and that takes as long."""
        async with self._turns:
            return await asyncio.to_thread(self._verify, hashed or self._nobodys, _plain(password)) and bool(hashed)

    def is_old(self, hashed: str) -> bool:
        """Whether it was hashed with less than today."""
        return self._hasher.check_needs_rehash(hashed)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def judge(password: str, *names: str) -> None:
    """
    Raises:
        Problem: 400, too easily guessed: short, of few letters, or what everybody knows of the person.
    """
    plain = _plain(password)
    if not LEAST <= len(plain) <= MOST:
        raise Problem(400, "weak_password", f"a password has {LEAST} to {MOST} letters")
    known = {part for name in names for part in (name, *name.split("@")[:1]) if len(part) > 3}
    bare = plain.casefold()
    for name in sorted(known, key=len, reverse=True):  # or a part of a longer one would leave the rest of it
        bare = bare.replace(name.casefold(), "")
    if len(_unforeseen(plain)) < DIFFERENT or len(bare) < LEAST // 2 or _REPEATED.fullmatch(plain):
        raise Problem(
            400, "weak_password", "this is too easily guessed: take several words that do not belong together"
        )


def _unforeseen(plain: str) -> set[str]:
    """Its different letters without those that follow from the one before: "aaaa", "abcd" and "4321" have one."""
    return {letter for before, letter in zip(" " + plain, plain, strict=False) if abs(ord(letter) - ord(before)) > 1}


def _plain(password: str) -> str:
    """However a keyboard composes its letters (NFKC)."""
    return unicodedata.normalize("NFKC", password)
