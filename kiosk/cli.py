"""The `kiosk` command."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kiosk.errors import Trouble

if TYPE_CHECKING:
    from kiosk.doctor import Finding

DEFAULT_CONFIG = Path("/etc/kiosk/kiosk.toml")

app = typer.Typer(
    help="The kiosk: video help at the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigOption = Annotated[Path, typer.Option("--config", help="The settings file.", envvar="KIOSK_CONFIG")]


@app.command()
def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the appliance until it is told to stop."""
    from kiosk import memory  # noqa: PLC0415
    from kiosk.app import run as run_app  # noqa: PLC0415 - the other commands start without the media stack
    from kiosk.config import load  # noqa: PLC0415

    memory.settle()
    asyncio.run(run_app(load(config)))


@app.command("config")
def show_config(
    config: ConfigOption = DEFAULT_CONFIG,
    show: Annotated[bool, typer.Option("--show", help="Print every setting in force, defaults included.")] = False,
) -> None:
    """Check the settings file; with --show, print what is in force."""
    from kiosk.config import load  # noqa: PLC0415

    settings = load(config)
    if show:
        print(msgspec.json.format(msgspec.json.encode(settings), indent=2).decode())
    else:
        print(f"{config}: fine")


@app.command()
def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    installer: Annotated[
        bool, typer.Option("--installer", help="Ask whoever stands before the kiosk, who answers with its button.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this part; repeat for others.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    language: Annotated[str, typer.Option(help="de or en [the provider's].")] = "",
) -> None:
    """Try each part of the kiosk, which must not run, and say whether it works. Ends with 1 where one does not."""
    from kiosk import doctor as doctors  # noqa: PLC0415 - the other commands start without the media stack
    from kiosk.config import load  # noqa: PLC0415

    settings = load(config)
    if language:
        settings = replace(settings, provider=replace(settings.provider, language=language))
    told = (lambda finding: None) if as_json else _tell(settings.provider.language)
    findings = asyncio.run(doctors.examine(settings, installer=installer, only=only or (), told=told))
    if as_json:
        print(doctors.as_json(findings).decode())
    raise typer.Exit(0 if all(f.works for f in findings) else 1)


def _tell(language: str) -> Callable[[Finding], None]:
    """Prints each finding as it comes."""
    from kiosk.ui.doctor_screens import PARTS, WORDS  # noqa: PLC0415
    from kiosk.ui.texts import speaker  # noqa: PLC0415

    console, say = Console(highlight=False), speaker(language)
    styles = {"works": "green", "fails": "bold red", "left_out": "dim"}

    def tell(finding: Finding) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=22)
        grid.add_column(width=12)
        state = Text(say(WORDS[finding.state]), styles[finding.state])
        grid.add_row(say(PARTS[finding.part]), state, finding.words(language))
        console.print(grid)

    return tell


@app.command()
def demo(
    camera: Annotated[str, typer.Option(help="scene, file:PATH or v4l2:/dev/videoN")] = "scene",
    microphone: Annotated[str, typer.Option(help="tone, file:PATH or none")] = "tone",
    display: Annotated[str, typer.Option(help="Size of the kiosk's display, WIDTHxHEIGHT.")] = "1024x600",
    language: Annotated[str, typer.Option(help="de or en")] = "de",
    port: Annotated[int, typer.Option(help="Port of the one page; 0 takes a free one.")] = 8080,
    browser: Annotated[bool, typer.Option(help="Open the page where there is a browser.")] = True,
) -> None:
    """Run the whole system on this machine: broker, desk and one simulated kiosk, on one page."""
    from kiosk.demo.run import demo as run_demo  # noqa: PLC0415
    from kiosk.demo.site import WORDS, Choices  # noqa: PLC0415

    if language not in WORDS:
        raise typer.BadParameter("de or en", param_hint="--language")
    choices = Choices(camera=camera, microphone=microphone, display=display, language=language)
    with tempfile.TemporaryDirectory(prefix="kiosk-demo-") as folder:
        asyncio.run(run_demo(Path(folder), choices, port, browser))


@app.command("broker-config")
def broker_config(
    folder: Annotated[Path, typer.Argument(help="Where everything is written; what is there stays.")],
    kiosk: Annotated[list[str], typer.Option(help="A kiosk's id; repeat for each.")],
    desk: Annotated[list[str] | None, typer.Option(help="A desk's account; repeat for each [desk].")] = None,
    fleet: Annotated[list[str] | None, typer.Option(help="A fleet manager's account; repeat for each.")] = None,
    ca: Annotated[bool, typer.Option("--ca", help="TLS, with certificates of an own small authority.")] = False,
    host: Annotated[list[str] | None, typer.Option(help="With --ca: what the broker is reached by; repeat.")] = None,
    port: Annotated[int | None, typer.Option(help="Kiosks' port [8883; without --ca 1883].")] = None,
    staff_port: Annotated[int, typer.Option(help="With --ca: port of desks and fleet managers.")] = 8884,
    user: Annotated[str, typer.Option(help="With --ca: whom Mosquitto runs as.")] = "mosquitto",
    revoke: Annotated[list[str] | None, typer.Option(help="With --ca: a kiosk to be shut out; repeat.")] = None,
) -> None:
    """Write Mosquitto's configuration: accounts, rules and, with --ca, certificates for the broker and each kiosk."""
    from kiosk.fleet.broker import Accounts, write_configuration  # noqa: PLC0415
    from kiosk.fleet.site_broker import write_with_authority  # noqa: PLC0415

    accounts = Accounts(tuple(kiosk), tuple(desk or ["desk"]), tuple(fleet or ()))
    if ca:
        ports = {"port": port or 8883, "staff_port": staff_port}
        hosts, shut_out = tuple(host or ()), tuple(revoke or ())
        path = write_with_authority(folder, accounts, hosts, **ports, user=user, revoke=shut_out)
    else:
        path = write_configuration(folder, port or 1883, kiosk, accounts.desks[0], accounts.fleet)
    print(f"{path}: written; start it with  mosquitto -c {path}")


def main() -> None:
    """Trouble is said in one sentence, with exit code 1; anything else is a bug and shows its trace."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("aioice").setLevel(logging.WARNING)
    try:
        app()
    except* Trouble as group:
        for error in leaves(group):
            print(f"kiosk: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, however deep."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
