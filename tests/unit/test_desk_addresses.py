"""Which addresses the desk may connect to on somebody's wish."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.addresses import is_allowed, is_opened, networks, web_target

SITE = networks(["10.1.0.0/16", "fd12::/32", "127.0.0.0/8", "169.254.0.0/16"])


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd12::1", "ff02::1", "fec0::1", "2001:db8::1"),
    ],
)
def test_what_only_we_can_reach_is_not(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize(
    "address",
    ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "64:ff9b:1::1"],
)
def test_a_private_address_inside_of_a_public_one_is_found(address: str) -> None:
    assert not is_allowed(address)


def test_a_setting_opens_the_sites_own_networks_and_no_others() -> None:
    assert is_allowed("10.1.2.3", SITE)
    assert is_allowed("::ffff:10.1.2.3", SITE)
    assert is_allowed("fd12::7", SITE)
    assert is_allowed("127.0.0.1", SITE)
    assert is_opened("127.0.0.1", SITE)
    assert not is_opened("1.1.1.1", SITE)
    assert not is_allowed("10.2.0.1", SITE)


def test_where_clouds_keep_credentials_is_opened_by_nothing() -> None:
    assert not is_allowed("169.254.169.254", SITE)
    assert not is_allowed("::ffff:169.254.169.254", networks(["0.0.0.0/0", "::/0"]))


@given(st.text("0123456789abcdef:.%/x ", max_size=40))
def test_what_is_no_address_is_not_allowed(text: str) -> None:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        assert not is_allowed(text, networks(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/", "file:///etc/passwd", "//a.example/x", "https://", "https:///x", "javascript:alert(1)"),
        *(
            "https://user:secret@a.example/",
            "https://a.example:99999/",
            "https://a b.example/",
            "https://a.example\\@b/",
        ),
        *("https://[::1/", "https://a.example/\r\nX: y"),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever says so
        web_target(url)


def test_a_web_address_is_taken_apart() -> None:
    assert web_target("https://hooks.example/a?b=c") == ("https", "hooks.example", 443)
    assert web_target("http://[fd12::1]:8080/") == ("http", "fd12::1", 8080)
