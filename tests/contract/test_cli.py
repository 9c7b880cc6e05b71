"""The commands, as somebody types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.demo.site import Choices, lay_out


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["kiosk"],
        ["kiosk", "run"],
        ["kiosk", "config"],
        ["kiosk", "doctor"],
        ["kiosk", "demo"],
        ["kiosk", "broker-config"],
        ["desk"],
        ["desk", "run"],
        ["desk", "config"],
        ["desk", "sign-in-link"],
        ["desk", "admin-link"],
        ["desk", "migrate"],
    ],
)
def test_every_command_says_what_it_is_for(command: list[str]) -> None:
    said = run(*command, "--help")
    assert said.returncode == 0
    assert "Usage" in said.stdout


def test_the_settings_in_force_are_shown_with_their_defaults_and_without_secrets(tmp_path: Path) -> None:
    site = lay_out(tmp_path, Choices())
    shown = json.loads(run("kiosk", "config", "--show", "--config", str(site.kiosk_toml)).stdout)
    assert shown["id"] == "kiosk-1"
    assert shown["call"]["fps"] == 30, "a default"
    assert shown["broker"]["password_file"].endswith("kiosk-1.password"), "the place of the secret, not the secret"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('id = "k-1"', "device"),
        ('id = "K 1"\n[device]\nid = "press"\nname = "Press"', "id: "),
        ('id = "k-1"\ncolour = "blue"\n[device]\nid = "press"\nname = "Press"', "colour"),
        ('id = "k-1"\n[device]\nid = "press"\nname = "Press"\n[broker]\nport = "many"', "broker.port"),
        ("id = ", "kiosk.toml"),
    ],
)
def test_what_is_wrong_in_the_settings_is_said_with_file_and_key(tmp_path: Path, wrong: str, said: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(wrong)
    outcome = run("kiosk", "config", "--config", str(path))
    assert outcome.returncode == 1
    assert str(path) in outcome.stderr
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_settings_that_are_not_there_are_said_to_be_so(tmp_path: Path) -> None:
    outcome = run("kiosk", "run", "--config", str(tmp_path / "nowhere.toml"))
    assert outcome.returncode == 1
    assert "nowhere.toml: No such file" in outcome.stderr
