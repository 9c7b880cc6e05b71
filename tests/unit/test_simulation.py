"""Thousands of lives of a kiosk and its desks on a bad network: nothing is lost, doubled or told wrongly."""

from __future__ import annotations

import os

import pytest

from tests.unit.simulation import Rules, World, without

RUNS = int(os.environ.get("SIMULATION_RUNS", "4000"))
SEARCH = 1500

NEEDED_AGAINST = {
    "dedupe": {"told 'refused' though applied"},
    "answers_on_disk": {"told 'refused' though applied"},
    "guard": {"obeyed in a state that its sender had not seen"},
    "rev_check": {"somebody who follows went back"},
    "disk_first": {"told 'done' though not applied", "somebody shows something else than the kiosk"},
    "tell_again": {"somebody shows something else than the kiosk"},
    "repeat": {"somebody never got an answer"},
}


def test_with_all_rules_nothing_goes_wrong_however_bad_the_network_and_whoever_crashes() -> None:
    wrong = {seed: found for seed in range(RUNS) if (found := World(seed, Rules()).run())}
    assert wrong == {}


@pytest.mark.parametrize("rule", NEEDED_AGAINST)
def test_without_any_one_of_the_rules_something_goes_wrong(rule: str) -> None:
    found: set[str] = set()
    for seed in range(SEARCH):
        found.update(World(seed, without(rule)).run())
        if found >= NEEDED_AGAINST[rule]:
            break
    assert found >= NEEDED_AGAINST[rule]


def test_without_memory_of_answers_and_without_guards_a_command_is_applied_twice() -> None:
    found: set[str] = set()
    for seed in range(SEARCH):
        found.update(World(seed, Rules(dedupe=False, guard=False)).run())
        if "a command applied twice" in found:
            break
    assert "a command applied twice" in found


def test_the_simulated_lives_are_eventful() -> None:
    """What the first test proves is worth something only where much happens."""
    worlds = [World(seed, Rules()) for seed in range(200)]
    for world in worlds:
        world.run()
    done = [type(c.what).__name__ for w in worlds for c in w.disk.effects]
    refused = sum(not a.ok for w in worlds for a in w.disk.answers.values())
    assert {"Create", "Confirm", "Start", "End", "Close", "Reopen", "Cancel", "SetVisibility"} <= set(done)
    assert len(done) > 400
    assert refused > 400
