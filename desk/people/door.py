"""Signing in with password and second factor, and what sets them. The routes are in sign_in.py and own_account.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from litestar.datastructures import Cookie as SetCookie
from msgspec import Meta, Struct

from desk.config import Email, Rank
from desk.people import passwords
from desk.people.accounts import Account, Credentials, Profile
from desk.people.guard import Connection, People, address_of
from desk.people.passwords import Passwords
from desk.people.second_factor import (
    RECOVERY_CODES,
    SecondFactor,
    address_of_secret,
    new_recovery_code,
    new_secret,
    qr_code,
    step_of,
)
from desk.people.sign_ins import SignedIn
from desk.people.tries import Count, Tries, counts_of
from desk.problems import Problem
from desk.seals import BadSeal, Enrol, Seals
from desk.sessions.store import Store
from kiosk.session.record import Id, Text

ENROL_S = 15 * 60
FIRST_LINK_S = 24 * 3600
INVITATION_S = 7 * 24 * 3600

Password = Annotated[str, Meta(max_length=passwords.MOST)]
Code = Annotated[str, Meta(max_length=40)]


class SignInForm(Struct, frozen=True):
    """`name`: the id or the e-mail address. `code`: of the second factor, once it was asked for."""

    name: Annotated[str, Meta(max_length=254)]
    password: Password
    code: Code = ""


class WelcomeForm(Struct, frozen=True):
    """A new password; the rest for the first administrator, who has no account yet."""

    password: Password
    id: Id | None = None
    name: Text = ""
    email: Email | None = None


class Enrolment(Struct, frozen=True):
    """seal: to be sent back with the first code. qr: a data URI."""

    seal: str
    secret: str
    qr: str


class Door:
    def __init__(
        self, people: People, store: Store, seals: Seals, secret: bytes, now: Callable[[], float] = time.time
    ) -> None:
        self._people, self._store, self._seals, self._now = people, store, seals, now
        self._accounts, self._links = people.accounts, people.links
        self._passwords = Passwords()
        self._second = SecondFactor(secret)
        self._tries = Tries(store.transactions, now)

    # --- in -----------------------------------------------------------------------------------------------------------

    async def sign_in(self, connection: Connection, form: SignInForm) -> list[SetCookie]:
        """
        Raises:
            Problem: 401 wrong_sign_in, code_needed, wrong_code; 403 locked; 429 too_many_tries.
        """
        known = await self._accounts.credentials(form.name)
        account = known.member.id if known else ""
        browser = self._people.known_browser(connection, account) if known else ""
        counts = counts_of(account or form.name, address_of(connection), browser)
        await self._tries.take(*counts)
        fits = await self._passwords.fits(known.password if known else "", form.password)
        if known is None or not fits:
            raise await self._refuse(connection, account, 401, "wrong_sign_in", "name or password is wrong")
        if known.locked:
            raise await self._refuse(connection, account, 403, "locked", "this account is locked")
        await self._second_factor(connection, known, form.code, counts)
        await self._tries.give_back(*counts)
        if self._passwords.is_old(known.password):
            await self._accounts.set_password(account, await self._passwords.hash(form.password), only_rehash=True)
        return await self._people.begin(connection, account, "password")

    async def _second_factor(
        self, connection: Connection, known: Credentials, code: str, counts: tuple[Count, ...]
    ) -> None:
        if known.totp is None:
            return
        if not code:
            await self._tries.give_back(*counts)  # so far all of it was right
            raise Problem(401, "code_needed", "the code of the second factor is needed as well")
        if not await self._takes(known, code):
            raise await self._refuse(connection, known.member.id, 401, "wrong_code", "this code is not the present one")

    async def _takes(self, known: Credentials, code: str) -> bool:
        """Whether it is a code of the app or a recovery code that was not used before; it is used now."""
        account = known.member.id
        step = step_of(self._second.open(account, known.totp or b""), code, known.totp_step, self._now())
        if step:
            return await self._accounts.use_step(account, step)
        return await self._accounts.use_recovery(self._second.recovery_hash(account, code))

    async def _refuse(self, connection: Connection, account: str, status: int, code: str, text: str) -> Problem:
        """What was typed is not written down: it may be a password in the wrong field."""
        await self._store.audit(account, "sign_in", "", code, address_of(connection))
        return Problem(status, code, text)

    # --- by a link that is good once ----------------------------------------------------------------------------------

    async def welcome(self, connection: Connection, token: str, form: WelcomeForm) -> list[SetCookie]:
        """Sets the password. Signed in is whoever has no second factor: a link takes nobody past it, and then there are
        no cookies.

        Raises:
            Problem: 401 the link; 400 the password; 409 the new administrator's name.
        """
        account = await self._links.whose(token)
        if account is None:
            account = await self._first(token, form)
        else:
            passwords.judge(form.password, account.id, account.name, account.email)
            await self._links.use(token)
        await self._accounts.set_password(account.id, await self._passwords.hash(form.password))
        await self._store.audit(account.id, "set_password", account.id, "link", address_of(connection))
        if account.second_factor or account.locked:
            return []
        return await self._people.begin(connection, account.id, "link")

    async def _first(self, token: str, form: WelcomeForm) -> Account:
        if not form.id or not form.name.strip() or not form.email:
            raise Problem(400, "malformed", "the first administrator needs an id, a name and an e-mail address")
        passwords.judge(form.password, form.id, form.name, form.email)
        roles = (Rank.ADMINISTRATOR, Rank.MODERATOR)
        await self._links.use(token)
        try:
            return await self._accounts.add(Profile(form.id, form.name.strip(), form.email, roles))
        except Problem:  # the name is taken: the link was for another try as well
            await self._links.give_back(token, FIRST_LINK_S)
            raise

    # --- what somebody sets himself -----------------------------------------------------------------------------------

    async def change_password(self, connection: Connection, me: SignedIn, old: str, new: str) -> list[SetCookie]:
        """Signs in anew here and out everywhere else. Who has none yet needs no old one.

        Raises:
            Problem: 401 the old one; 400 the new one; 409 whoever comes by single sign-on has none here; 429.
        """
        account = await self._accounts.get(me.member.id)
        if account.origin == "sso":
            raise Problem(409, "follows", "this account follows single sign-on")
        if account.has_password:
            await self._confirm(connection, me, old)
        passwords.judge(new, account.id, account.name, account.email)
        await self._accounts.set_password(account.id, await self._passwords.hash(new))
        await self._store.audit(account.id, "set_password", account.id, "done", address_of(connection))
        return await self._people.begin(connection, account.id, "password")

    async def _confirm(self, connection: Connection, me: SignedIn, password: str) -> None:
        """That it is still the one who signed in."""
        count = Count(f"own {me.member.id}", 10)
        await self._tries.take(count)
        known = await self._accounts.credentials(me.member.id)
        if not await self._passwords.fits(known.password if known else "", password):
            raise await self._refuse(connection, me.member.id, 401, "wrong_password", "this is not your password")
        await self._tries.give_back(count)

    def begin_enrolment(self, me: SignedIn) -> Enrolment:
        secret = new_secret()
        seal = self._seals.seal("enrol", Enrol(me.member.id, secret, self._seals.until(ENROL_S)))
        return Enrolment(seal, secret, qr_code(address_of_secret(secret, me.member.email or me.member.id)))

    async def enrol(self, connection: Connection, me: SignedIn, seal: str, code: str) -> tuple[str, ...]:
        """The recovery codes, to be shown once.

        Raises:
            Problem: 400, that was not begun here or is long ago, or there is a second factor already; 401, wrong code.
        """
        account = me.member.id
        try:
            begun = self._seals.open("enrol", seal, Enrol)
        except BadSeal:
            begun = None
        if begun is None or begun.person != account or (await self._accounts.get(account)).second_factor:
            raise Problem(400, "begin_again", "begin again, please")
        count = Count(f"enrol {account}", 20)
        await self._tries.take(count)
        step = step_of(begun.secret, code, 0, self._now())
        if not step:
            raise Problem(401, "wrong_code", "this code is not the present one")
        codes = tuple(new_recovery_code() for _ in range(RECOVERY_CODES))
        hashes = [self._second.recovery_hash(account, code) for code in codes]
        await self._accounts.set_second_factor(account, self._second.seal(account, begun.secret), step, hashes)
        await self._people.sign_ins.end_all(account, but=me.id)
        await self._store.audit(account, "second_factor_on", account, "done", address_of(connection))
        return codes

    async def unenrol(self, connection: Connection, me: SignedIn, code: str) -> None:
        """
        Raises:
            Problem: 401, neither a present code nor a recovery code; 429.
        """
        account = me.member.id
        count = Count(f"own {account}", 10)
        await self._tries.take(count)
        known = await self._accounts.credentials(account)
        if known is None or not await self._takes(known, code):
            raise await self._refuse(connection, account, 401, "wrong_code", "this code is not the present one")
        await self._tries.give_back(count)
        await self._accounts.set_second_factor(account, None, 0, ())
        await self._store.audit(account, "second_factor_off", account, "done", address_of(connection))
