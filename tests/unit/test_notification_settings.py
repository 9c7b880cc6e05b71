"""The section [notifications]: what it takes, and what it says of what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.config import Notifications, load
from kiosk.errors import ConfigError


def test_without_the_section_moderators_are_told_after_five_minutes(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text("")
    settings = load(tmp_path / "desk.toml").notifications
    assert (settings.escalate_minutes, settings.escalate_to, settings.networks) == (5, ("moderators",), ())
    assert settings == Notifications()


def test_only_encrypted_ways_and_e_mail_may_be_entered_by_default() -> None:
    unsafe = {"json", "xml", "form", "syslog", "dbus", "file", "ntfy", "gotify", "matrix", "http", "https", "apprise"}
    assert not unsafe & set(Notifications().schemas)


def test_all_of_it_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(
        """
        [notifications]
        escalate_minutes = 2.5
        escalate_to = ["staff"]
        schemas = []
        networks = ["10.20.0.0/16", "fd12::/32"]
        mail_file = "/etc/desk/mail"
        contact = "operator@site.example"
        [[notifications.channels]]
        address_file = "/etc/desk/team"
        at = "escalation"
        language = "de"
        """
    )
    settings = load(tmp_path / "desk.toml").notifications
    assert (settings.schemas, settings.escalate_to) == ((), ("staff",))
    assert settings.channels[0].at == "escalation"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("escalate_minutes = -1", "escalate_minutes"),
        ('escalate_to = ["everybody"]', "escalate_to"),
        ('schemas = ["http://"]', "schemas"),
        ('networks = ["10.0.0.1/8"]', "notifications"),
        ('networks = ["the office"]', "notifications"),
        ('contact = "nobody"', "contact"),
        ("channels = [{}]", "address_file"),
        ('apprise = "x"', "apprise"),
    ],
)
def test_what_does_not_fit_is_said_with_its_key(tmp_path: Path, line: str, key: str) -> None:
    (tmp_path / "desk.toml").write_text(f"[notifications]\n{line}\n")
    with pytest.raises(ConfigError, match=key):
        load(tmp_path / "desk.toml")
