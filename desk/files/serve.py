"""Serving a kept file: ranges (video players seek), caching by digest, and headers that keep a file from acting."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from desk.files.store import Files
from desk.problems import Problem
from desk.sessions.store import StoredFile
from kiosk.session.record import Artifact

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z")


def file_response(
    request: Request[Any, Any, Any], files: Files, file: StoredFile, artifact: Artifact, download: bool
) -> Response[Any]:
    """200, 206 for one range, 304 for a digest that the browser has, 416 for a range outside."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",  # asked for again each time: somebody may have lost the right to see it
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Content-Disposition": f'{"attachment" if download else "inline"}; filename="{artifact.name}"',
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(None, status_code=304, headers=headers)
    asked = request.headers.get("range", "") if request.headers.get("if-range", etag) == etag else ""
    wanted = _range(asked, file.bytes)
    start, end = wanted or (0, file.bytes)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.bytes}"
    headers["Content-Length"] = str(end - start)
    body = files.read(file.path, start, end)
    return Stream(body, status_code=206 if wanted else 200, headers=headers, media_type=file.content_type)


def _range(asked: str, length: int) -> tuple[int, int] | None:
    """(start, end), end not included. None for a header that is no single range of bytes: it is ignored (RFC 9110).

    Raises:
        Problem: 416, it lies outside the file.
    """
    match = _RANGE.match(asked)
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return None
    if not first:
        start, end = max(0, length - int(last)), length
    else:
        start, end = int(first), min(length, int(last) + 1) if last else length
    if start >= end:
        raise Problem(416, "outside", f"the file has {length} bytes", {"Content-Range": f"bytes */{length}"})
    return start, end
