"""The desk's settings: strict, and what is wrong is said with file and key."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from desk.cli import app
from desk.config import Rank, load, signing_secret
from desk.database import database_url
from kiosk.errors import ConfigError
from kiosk.settings import read_secret

PEOPLE = '[[people]]\nid = "anna"\nname = "Anna"\nrole = "moderator"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "desk.toml"
    path.write_text(text)
    return path


def test_an_empty_file_is_a_desk_on_loopback(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""))
    assert config.url == "http://127.0.0.1:8080"
    assert str(database_url(config)) == "sqlite+aiosqlite:///data/desk.sqlite"
    assert config.secret_path == Path("data/secret")


def test_the_settings_are_read(tmp_path: Path) -> None:
    text = 'data = "/d"\ndatabase = "postgresql+asyncpg://h/d"\n[http]\npublic_url = "https://desk.example/"\n' + PEOPLE
    config = load(written(tmp_path, text))
    assert config.url == "https://desk.example"
    assert str(database_url(config)) == "postgresql+asyncpg://h/d"
    assert config.people[0].role is Rank.MODERATOR
    assert config.people[0].moderates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[broker]\nport = 'x'", "broker.port"),
        ("colour = 1", "colour"),
        ("[http]\nfoo = 1", "http"),
        ("[http]\npublic_url = 'desk.example'", "http.public_url"),
        ("[http]\nframe_ancestors = ['a; script-src *']", "http.frame_ancestors"),
        ("[http]\nframe_ancestors = 'a; script-src *'", "http.frame_ancestors"),
        ("[[people]]\nid = 'A B'\nname = 'x'", "people"),
        ("[[people]]\nid = 'anna'\nname = 'x'\nrole = 'king'", "role"),
        (PEOPLE + PEOPLE, "anna"),
        ("language = 'fr'", "language"),
        ("[[people]]\nid = 'anna'\nname = 'x'\nemail = 'no address'", "email"),
        (PEOPLE + "email = 'A@b.c'\n" + PEOPLE.replace("anna", "ben") + "email = 'a@b.c'\n", "e-mail address"),
        ("[oidc]\nissuer = 'http://sso.example'\nclient_id = 'desk'", "issuer"),
        ("[oidc]\nissuer = 'https://sso.example'\nclient_id = 'desk'\n[oidc.roles]\nx = ['king']", "oidc.roles"),
        ("[sign_in]\nidle_hours = 0", "sign_in.idle_hours"),
        ("= 1", "desk.toml"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, text))
    assert "desk.toml" in error.value.text
    assert said in error.value.text


def test_the_password_of_the_database_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "db.password"
    secret.write_text("hidden words\n")
    text = f'[database]\nurl = "postgresql://desk@db.example:5433/desk"\npassword_file = "{secret}"\n'
    config = load(written(tmp_path, text))
    url = database_url(config)
    assert (url.drivername, url.username, url.host, url.port) == ("postgresql+asyncpg", "desk", "db.example", 5433)
    assert url.password == "hidden words"
    assert "hidden" not in str(config)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://desk:secret@h/d", "password"),
        ("mysql://h/d", "only SQLite and PostgreSQL"),
        ("postgresql://h:many/d", "not an address"),
    ],
)
def test_a_database_that_will_not_do_is_refused_without_saying_a_secret(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        database_url(load(written(tmp_path, f'database = "{place}"')))
    assert "secret" not in error.value.text


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="no-secret"):
        read_secret(str(tmp_path / "no-secret"))


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    secret = signing_secret(path)
    assert len(secret) == 64
    assert signing_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret"]
    path.write_text("short")
    with pytest.raises(ConfigError, match="shorter"):
        signing_secret(path)


def test_the_commands_say_what_they_do(tmp_path: Path) -> None:
    path = written(tmp_path, f'data = "{tmp_path}"\n' + PEOPLE)
    run = CliRunner().invoke
    for command in ([], ["run"], ["sign-in-link"], ["config"]):
        assert run(app, [*command, "--help"]).exit_code == 0
    shown = run(app, ["config", "--show", "--config", str(path)])
    assert '"name": "Anna"' in shown.output
    link = run(app, ["sign-in-link", "anna", "--config", str(path)])
    assert link.output.startswith("http://127.0.0.1:8080/enter/")
    unknown = run(app, ["sign-in-link", "zoe", "--config", str(path)])
    assert unknown.exit_code == 1
    assert "there is no 'zoe' (there is: anna)" in unknown.output
    assert run(app, ["config", "--config", str(tmp_path / "none.toml")]).exit_code == 1
    first = [run(app, ["admin-link", "--config", str(path)]).output.strip() for _ in range(2)]
    assert all(link.startswith("http://127.0.0.1:8080/welcome/") for link in first)
    assert first[0] != first[1]
