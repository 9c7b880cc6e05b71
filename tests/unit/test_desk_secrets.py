"""Second factors, passwords and what tries count for: pure, on a clock that jumps."""

from __future__ import annotations

import pyotp
import pytest

from desk.people.passwords import judge
from desk.people.second_factor import (
    LETTERS,
    STEP_S,
    SecondFactor,
    address_of_secret,
    new_recovery_code,
    new_secret,
    qr_code,
    step_of,
)
from desk.people.tries import counts_of, network_of
from desk.problems import Problem

NOW = 1_800_000_000.0
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(steps: int) -> str:
    return pyotp.TOTP(SECRET).at(NOW + steps * STEP_S)


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phones_clock_may_be_a_step_off(steps: int, taken: bool) -> None:
    assert bool(step_of(SECRET, code_at(steps), 0, NOW)) is taken


def test_no_code_is_taken_twice_nor_one_from_before_it() -> None:
    step = step_of(SECRET, code_at(0), 0, NOW)
    assert step == int(NOW // STEP_S)
    assert step_of(SECRET, code_at(0), step, NOW) == 0
    assert step_of(SECRET, code_at(-1), step, NOW) == 0
    assert step_of(SECRET, code_at(1), step, NOW) == step + 1


@pytest.mark.parametrize("code", ["", " ", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "1" * 40, "\x00"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(SECRET, code, 0, NOW) == 0
    assert step_of("", code, 0, NOW) == 0


def test_a_code_may_be_typed_with_spaces() -> None:
    now = code_at(0)
    assert step_of(SECRET, f" {now[:3]} {now[3:]} ", 0, NOW)


def test_a_sealed_secret_opens_for_its_account_and_with_its_desks_secret_only() -> None:
    ours, other = SecondFactor(b"a" * 64), SecondFactor(b"b" * 64)
    sealed = ours.seal("anna", SECRET)
    assert SECRET.encode() not in sealed
    assert sealed != ours.seal("anna", SECRET)
    assert ours.open("anna", sealed) == SECRET
    for box, account, what in ((ours, "ben", sealed), (other, "anna", sealed), (ours, "anna", sealed[:-1] + b"x")):
        assert box.open(account, what) == ""
    assert ours.open("anna", b"") == ""


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    box, code = SecondFactor(b"a" * 64), new_recovery_code()
    assert len(code.replace("-", "")) == 12
    assert set(code) <= set(LETTERS + "-")
    hashed = box.recovery_hash("anna", code)
    assert box.recovery_hash("anna", f" {code.upper().replace('-', ' ')} ") == hashed
    assert box.recovery_hash("ben", code) != hashed
    assert SecondFactor(b"b" * 64).recovery_hash("anna", code) != hashed


def test_an_app_reads_the_secret_from_the_picture() -> None:
    address = address_of_secret(secret := new_secret(), "ännä & co@site.example")
    assert pyotp.parse_uri(address).secret == secret
    assert qr_code(address).startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize(
    "weak",
    [
        *("", "eleven-lett", "x" * 20, "ababababababab", "anna.berg@site", "Anna Berg Anna", "x" * 257, "annaberg2024"),
        *("passwordpassword", "123456789012", "abcdefghijklmn", "aaaabbbbccccdddd"),
    ],
)
def test_what_is_easily_guessed_is_no_password(weak: str) -> None:
    with pytest.raises(Problem) as refused:
        judge(weak, "anna", "Anna", "Berg", "anna.berg@site.example")
    assert refused.value.problem == "weak_password"


@pytest.mark.parametrize(
    "good", ["seven copper kettles", "wärmepumpe neben birne", "🔧🔩🪛🪚🔨 and then some", "Tr0ub4dor&3x9"]
)
def test_what_is_long_enough_and_not_known_is_one(good: str) -> None:
    judge(good, "anna", "Anna Berg", "anna.berg@site.example", "")


def test_who_has_many_addresses_counts_as_one() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") == "2001:db8:1:2::"
    assert network_of("fe80::1%eth0") == "fe80::"
    assert network_of("") == network_of("testclient") == "?"


def test_a_known_browser_counts_for_itself_and_names_are_not_written_down() -> None:
    assert [count.key.split()[0] for count in counts_of("anna", "192.0.2.7", "mark")] == ["browser"]
    strangers = counts_of(" Anna ", "192.0.2.7", "")
    assert [count.key.split()[0] for count in strangers] == ["at", "all", "from"]
    assert strangers == counts_of("anna", "192.0.2.7", "")
    assert "anna" not in str(strangers).casefold()
    assert all(len(count.key) <= 100 for count in counts_of("x" * 500, "2001:db8::1", ""))
