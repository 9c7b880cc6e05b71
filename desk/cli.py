"""`desk`: run, migrate, move-data, sign-in-link, admin-link, config. What takes long to import is imported where it is
needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desk.config import Config, Database, load, signing_secret
from kiosk.errors import ConfigError, Trouble

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The desk: video help at machines, the staff's side."
)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The settings.", envvar="DESK_CONFIG")]
HERE = Path("desk.toml")


@app.command()
def run(config: ConfigFile = HERE) -> None:
    """Runs the desk until it is told to stop."""
    import asyncio  # noqa: PLC0415 - the other commands start faster without
    import logging  # noqa: PLC0415

    from desk.app import run as run_desk  # noqa: PLC0415
    from kiosk import memory  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for talkative in ("uvicorn", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # pages look whether we can be reached with a WebSocket that we refuse (web/static/js/pulse.js)
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "WebSocket" not in str(record.msg) and "upgrade" not in str(record.msg)
    )
    settings, reasons = _load(config), list[str]()
    memory.settle()  # else what was imported is looked through again for every few thousand documents, 0.1 s each time
    try:
        asyncio.run(run_desk(settings, lambda url: typer.echo(f"desk ready at {url}")))
    except* Trouble as group:  # what ends the desk comes out of its TaskGroup
        reasons = [str(error) for error in _leaves(group)]
    if reasons:
        raise _fail("; ".join(reasons))


@app.command()
def migrate(config: ConfigFile = HERE) -> None:
    """Brings the database to this version's form, as each start does; nothing where that is done."""
    import asyncio  # noqa: PLC0415

    from desk import database  # noqa: PLC0415

    async def do() -> tuple[str, str]:
        engine = database.engine_of(database.database_url(_load(config)))
        try:
            return await database.migrate(engine)
        finally:
            await engine.dispose()

    try:
        before, now = asyncio.run(do())
    except ConfigError as error:
        raise _fail(error.text) from error
    typer.echo(f"database: at revision {now}" + ("" if before == now else f" (before: {before or 'none'})"))


@app.command()
def move_data(
    source: Annotated[str, typer.Option("--from", help="A path (SQLite) or postgresql://user@host/name.")],
    target: Annotated[str, typer.Option("--to", help="The same; it must be empty.")],
    source_password: Annotated[str, typer.Option("--from-password-file", help="Holds PostgreSQL's password.")] = "",
    target_password: Annotated[str, typer.Option("--to-password-file", help="Holds PostgreSQL's password.")] = "",
) -> None:
    """Moves everything a desk remembers into another, empty database, and counts it. Stop the desks before."""
    import asyncio  # noqa: PLC0415

    from desk.database import database_url  # noqa: PLC0415
    from desk.keeping.move import Moved, move  # noqa: PLC0415

    def tell(moved: Moved) -> None:
        typer.echo(f"{moved.rows:>10}  {moved.table}")

    try:
        old = Database(url=source, password_file=source_password)
        new = Database(url=target, password_file=target_password)
        total = asyncio.run(move(database_url(Config(database=old)), database_url(Config(database=new)), tell))
    except ConfigError as error:
        raise _fail(error.text) from error
    typer.echo(f"{total:>10}  rows in all are there now, and as many were here")


@app.command()
def sign_in_link(
    person: Annotated[str, typer.Argument(help="The id of somebody in the settings' people.")],
    minutes: Annotated[float, typer.Option(min=1, max=7 * 24 * 60, help="How long the link is good.")] = 15,
    config: ConfigFile = HERE,
) -> None:
    """Prints an address that signs a person in, once."""
    from desk.people.links import sign_in_link as make  # noqa: PLC0415
    from desk.seals import Seals  # noqa: PLC0415

    settings = _load(config)
    try:
        seals = Seals(signing_secret(settings.secret_path))
        typer.echo(make(settings, seals, person, minutes))
    except KeyError:
        known = ", ".join(p.id for p in settings.people) or "nobody"
        invited = "whoever was invited gets a link from an administrator, on the page People"
        raise _fail(f"{config}: people: there is no {person!r} (there is: {known}); {invited}") from None
    except ConfigError as error:
        raise _fail(error.text) from error


@app.command()
def admin_link(config: ConfigFile = HERE) -> None:
    """Prints an address at which somebody becomes an administrator: once, and for a day."""
    import asyncio  # noqa: PLC0415
    import time  # noqa: PLC0415

    from desk import database  # noqa: PLC0415
    from desk.people import first  # noqa: PLC0415
    from desk.people.links_once import OnceLinks  # noqa: PLC0415
    from desk.sessions.store import open_store  # noqa: PLC0415

    async def make(settings: Config) -> str:
        store = await open_store(database.database_url(settings))
        try:
            return await first.link(OnceLinks(store.transactions, time.time), settings.url)
        finally:
            await store.close()

    try:
        typer.echo(asyncio.run(make(_load(config))))
    except ConfigError as error:
        raise _fail(error.text) from error


@app.command("config")
def show_config(
    show: Annotated[bool, typer.Option("--show", help="Print the settings in force, defaults included.")] = False,
    config: ConfigFile = HERE,
) -> None:
    """Checks the settings."""
    settings = _load(config)
    if show:
        import msgspec  # noqa: PLC0415

        typer.echo(msgspec.json.format(msgspec.json.encode(settings), indent=2).decode())
    else:
        typer.echo(f"{config}: in order")


def _load(path: Path) -> Config:
    try:
        return load(path)
    except ConfigError as error:
        raise _fail(error.text) from error


def _leaves(group: BaseExceptionGroup[Trouble]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _fail(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(1)


def main() -> None:
    app()
