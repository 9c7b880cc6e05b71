"""`python -m desk.notifications.post`: the process that sends. A line of JSON in is a job, one out its outcome.

It is a process of its own because what it uses waits in threads that nothing can end, and because it connects to what
people have typed in: with `--people [NETWORK…]` it reaches public addresses and those networks only, opens no files but
those of its programs, and starts nothing, whatever an address asks for. What holds that is an audit hook, which judges
the IP address of each connection itself: no name that changes in between and no redirection gets past it.
"""

from __future__ import annotations

import logging
import mimetypes
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apprise
import msgspec
import requests
from py_vapid import Vapid02  # type: ignore[import-untyped]  # has no types
from pywebpush import WebPushException, webpush  # type: ignore[import-untyped]  # has no types

from desk.addresses import Network, is_allowed, networks
from desk.notifications.jobs import Code, Look, Order, Outcome, Push, Tell

THREADS = 32
CONNECT_S, READ_S = 5.0, 10.0
TAKEN = 202
GONE = (404, 410)
AGAIN = 429
MOST_WAIT_S = 3600.0
OPENED = ("/dev/null", "/etc/localtime", "/usr/share/zoneinfo")
FORBIDDEN = frozenset({"subprocess.Popen", *(f"os.{n}" for n in ("system", "exec", "fork", "forkpty", "posix_spawn"))})

_here = threading.local()
"""What befell the job of this thread."""


def main(arguments: Sequence[str]) -> None:
    logging.disable(logging.CRITICAL)  # libraries log addresses
    sys.dont_write_bytecode = True
    if arguments[:1] == ["--people"]:
        mimetypes.init()  # reads files of its own, later it could not
        shut_in(networks(arguments[1:]))
    lock, out = threading.Lock(), sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a plugin prints is no outcome

    def work(order: Order) -> None:
        line = msgspec.json.encode(do(order)) + b"\n"
        with lock:
            out.write(line)
            out.flush()

    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin.buffer:
            pool.submit(work, msgspec.json.decode(line, type=Order))
        os._exit(0)  # the desk is gone: nobody waits for what is still stuck


def do(order: Order) -> Outcome:
    _here.refused = False
    try:
        outcome = _sent(order)
    except Exception:  # noqa: BLE001 - a hundred plugins of somebody else's, fed with what people type: each may raise anything
        outcome = Outcome(order.n, "later")
    refused = _here.refused and outcome.code in ("later", "refused")
    return Outcome(order.n, "private") if refused else outcome


def _sent(order: Order) -> Outcome:
    match order.job:
        case Push() as push:
            return _push(order.n, push)
        case Tell(address, title, text):
            service = _service(address)
            if service is None:
                return Outcome(order.n, "bad")
            sent = service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
            return Outcome(order.n, "ok" if sent else "later")
        case Look(address):
            found = _service(address)
            return Outcome(order.n, "ok", str(found.service_name)) if found else Outcome(order.n, "bad")


def _service(address: str) -> Any:
    """Apprise's part for it; None where it understands nothing."""
    asset = apprise.AppriseAsset(async_mode=False, http_redirects=False, app_id="Desk", app_desc="", app_url="")
    service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is not None:  # whatever the address asks for
        service.socket_connect_timeout, service.socket_read_timeout = CONNECT_S, READ_S
        service.redirects = False
    return service


def _push(n: int, job: Push) -> Outcome:
    subscription = {"endpoint": job.endpoint, "keys": {"p256dh": job.p256dh, "auth": job.auth}}
    try:
        webpush(
            subscription,
            data=job.payload,
            vapid_private_key=Vapid02.from_raw(job.key.encode()),
            vapid_claims={"sub": job.contact},
            ttl=job.lasts_s,
            headers={"Topic": job.topic, "Urgency": "high"},
            timeout=(CONNECT_S, READ_S),
        )
    except WebPushException as error:
        return _refused(n, error)
    except requests.RequestException:
        return Outcome(n, "later")
    return Outcome(n, "ok")


def _refused(n: int, error: Any) -> Outcome:
    status: int = error.status_code or 0
    code: Code = "gone" if status in GONE else "later" if status in (0, AGAIN) or status >= 500 else "refused"
    wait = str(error.retry_after or "")
    return Outcome(n, code, wait_s=min(float(wait), MOST_WAIT_S) if wait.isascii() and wait.isdigit() else 0.0)


# --- what people's addresses cannot make it do ------------------------------------------------------------------------


def shut_in(opened: Sequence[Network]) -> None:
    """For good: an audit hook cannot be taken away."""
    mine = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    readable = tuple(os.path.realpath(place) for place in (*mine, *OPENED))
    sys.addaudithook(_guard(opened, readable))


def _guard(opened: Sequence[Network], readable: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:
    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            _judge_address(arguments[1], opened)
        elif event == "open":
            _judge_file(arguments[0], readable)
        elif event in FORBIDDEN:
            raise PermissionError("nothing is started from here")

    return judge


def _judge_address(address: Any, opened: Sequence[Network]) -> None:
    """A name is refused as well: nobody knows what it would lead to."""
    host = address[0] if isinstance(address, tuple) and address else ""
    if not is_allowed(str(host), opened):
        _here.refused = True
        raise PermissionError("not a public address")


def _judge_file(path: Any, readable: Iterable[str]) -> None:
    if isinstance(path, int):  # is open already
        return
    place = os.path.realpath(os.fsdecode(path))
    if not any(Path(place).is_relative_to(one) for one in readable):
        raise PermissionError("no file of this process")


if __name__ == "__main__":
    main(sys.argv[1:])
