"""tus 1.0 (https://tus.io/protocols/resumable-upload): core, creation, termination, checksum, at /uploads/{token}.

The token is the authorisation and names the artifact; the address of the upload is the address of its creation. A kiosk
whose link broke comes back while the old request still hangs here: the newcomer takes over and the old one ends.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import HttpMethod, Request, Response, delete, head, patch, post, route
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from desk.files import store as disk
from desk.files.store import in_thread
from desk.files.uploads import MAX_BYTES, Upload, Uploads
from desk.problems import Problem, not_found, wrong_type
from desk.seals import BadSeal

VERSION = "1.0.0"
PATCH_TYPE = "application/offset+octet-stream"
ALGORITHMS = ("sha1", "sha256")
IDLE_S = 30.0
"""So long may a sender say nothing within a request."""
FINISH_S = 15.0
"""So long is a sender kept waiting while a whole file is verified and kept; then it may ask again."""
PIECE = 1 << 20
CHECKSUM_MISMATCH = 460
ADDRESS = "/uploads/{token:str}"

AnyRequest = Request[Any, Any, Any]


class _Cut(Exception):
    """The sender is gone; what came is kept."""


@route(ADDRESS, http_method=[HttpMethod.OPTIONS], status_code=200)
async def offered(token: FromPath[str]) -> Response[None]:
    return _said(
        204,
        {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,termination,checksum",
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            "Tus-Max-Size": str(MAX_BYTES),
        },
    )


@post(ADDRESS, status_code=201)
async def create_upload(request: AnyRequest, token: FromPath[str], uploads: NamedDependency[Uploads]) -> Response[None]:
    async with _turn(request, uploads, token) as (upload, _):
        length = _number(request, "upload-length")
        if length != upload.grant.bytes:
            status = 413 if length > upload.grant.bytes else 400
            raise Problem(status, "wrong_length", f"this upload has {upload.grant.bytes} bytes", _TUS)
        if not await uploads.is_here(upload.grant):
            await _begin(uploads, upload)
            if upload.whole:
                await _finish(uploads, upload)
    return _said(201, {"Location": uploads.address(token)})


@head(ADDRESS, status_code=200)
async def offset_of_upload(
    request: AnyRequest, token: FromPath[str], uploads: NamedDependency[Uploads]
) -> Response[None]:
    async with _turn(request, uploads, token) as (upload, limit):
        if upload.whole:  # the power went between the last byte and the receipt
            _renew(limit, None)
            await _finish(uploads, upload)
        offset = await _offset(uploads, upload)
        return _said(200, {"Upload-Offset": str(offset), "Upload-Length": str(upload.grant.bytes)})


@patch(ADDRESS, status_code=200, request_max_body_size=None)
async def append_to_upload(
    request: AnyRequest, token: FromPath[str], uploads: NamedDependency[Uploads]
) -> Response[None]:
    if request.headers.get("content-type", "") != PATCH_TYPE:
        raise wrong_type(PATCH_TYPE)
    async with _turn(request, uploads, token) as (upload, limit):
        start = _number(request, "upload-offset")
        offset = await _offset(uploads, upload)
        if start != offset:
            raise Problem(409, "wrong_offset", f"{offset} bytes are here", _TUS | {"Upload-Offset": str(offset)})
        if start + int(request.headers.get("content-length", "0")) > upload.grant.bytes:
            raise _too_long(upload)
        if upload.offset is not None:
            await _append(request, upload, start, limit)
            offset = upload.offset or 0
            if upload.whole:
                _renew(limit, None)
                await _finish(uploads, upload)
            else:
                await uploads.progressed(upload)
        return _said(204, {"Upload-Offset": str(offset)})


@delete(ADDRESS, status_code=200)
async def end_upload(request: AnyRequest, token: FromPath[str], uploads: NamedDependency[Uploads]) -> Response[None]:
    async with _turn(request, uploads, token) as (upload, _):
        if await uploads.is_here(upload.grant):
            raise Problem(403, "not_allowed", "the file is kept already", _TUS)
        await _offset(uploads, upload)
        if upload.finishing:
            raise _busy()
        await uploads.discard(upload)
        return _said(204, {})


ROUTES: tuple[ControllerRouterHandler, ...] = (
    offered,
    create_upload,
    offset_of_upload,
    append_to_upload,
    end_upload,
)

_TUS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}


def _said(status: int, headers: dict[str, str]) -> Response[None]:
    return Response(None, status_code=status, headers=_TUS | headers)


@contextlib.asynccontextmanager
async def _turn(request: AnyRequest, uploads: Uploads, token: str) -> AsyncIterator[tuple[Upload, asyncio.Timeout]]:
    """The upload of a token, ours alone until the end or until somebody newer comes; at most IDLE_S without progress.

    Raises:
        Problem: not tus 1.0, a token that is good for nothing, or the time is over.
    """
    if request.headers.get("tus-resumable") != VERSION:
        raise Problem(412, "unknown_version", f"tus {VERSION} is spoken here", {"Tus-Version": VERSION})
    try:
        upload = uploads.enter(token)
    except BadSeal:
        raise Problem(401, "signed_out", "this address is not, or no longer, good for an upload", _TUS) from None
    try:
        upload.cut()
        if request.method == "HEAD":  # so one who comes back begins
            await uploads.take_over(upload)
        async with upload.lock, asyncio.timeout(IDLE_S) as limit:
            upload.holder = limit
            try:
                yield upload, limit
            finally:
                upload.holder = None
    except (TimeoutError, _Cut):
        raise Problem(408, "cut", "the sender was not heard of any more", _TUS) from None
    finally:
        uploads.leave(upload)


def _renew(limit: asyncio.Timeout | None, when: float | None) -> None:
    """Unless its time is over: a newcomer ends a holder by setting its end to the past, and that must stand."""
    if limit is not None and limit.when() != -1:
        with contextlib.suppress(RuntimeError):  # it is ending already
            limit.reschedule(when)


async def _offset(uploads: Uploads, upload: Upload) -> int:
    """How much is here; all of it where it is kept."""
    if await uploads.is_here(upload.grant):
        return upload.grant.bytes
    offset = upload.offset
    if offset is None:
        raise not_found("upload")
    return offset


async def _append(request: AnyRequest, upload: Upload, start: int, limit: asyncio.Timeout) -> None:
    """Writes the body at `start`. What came stays, on disk for good, also where the sender broke off; unless it came
    with a checksum that does not fit (yet), or is more than was granted: then nothing of it stays."""
    name, wanted = _checksum(request)
    digest, position, keep = hashlib.new(name, usedforsecurity=False), start, not wanted
    try:
        async for piece in _pieces(request, limit):
            if position + len(piece) > upload.grant.bytes:
                keep = False
                raise _too_long(upload)
            if wanted:
                digest.update(piece)
            await in_thread(disk.write_at, upload.path, position, piece)
            position += len(piece)
        if wanted and digest.digest() != wanted:
            raise Problem(CHECKSUM_MISMATCH, "wrong_checksum", "these bytes are not what was sent", _TUS)
        keep = True
    except OSError as error:
        raise _full() from error
    finally:
        await in_thread(disk.cut_to, upload.path, None if keep else start)


async def _pieces(request: AnyRequest, limit: asyncio.Timeout) -> AsyncIterator[bytes]:
    """The body in pieces of about PIECE bytes; each chunk that arrives renews the limit."""
    buffer, cut = bytearray(), False
    try:
        async for chunk in request.stream():
            _renew(limit, asyncio.get_running_loop().time() + IDLE_S)
            buffer += chunk
            if len(buffer) >= PIECE:
                yield bytes(buffer)
                buffer.clear()
    except InternalServerException:  # Litestar's word for a client that disconnected
        cut = True
    if buffer:
        yield bytes(buffer)
    if cut:
        raise _Cut


async def _begin(uploads: Uploads, upload: Upload) -> None:
    try:
        await uploads.begin(upload)
    except OSError as error:
        raise _full() from error


async def _finish(uploads: Uploads, upload: Upload) -> None:
    try:
        async with asyncio.timeout(FINISH_S):
            kept = await uploads.finish(upload)
    except TimeoutError:
        raise _busy() from None
    if not kept:
        text = "the file as a whole is not what was announced; it starts again at 0"
        raise Problem(CHECKSUM_MISMATCH, "wrong_checksum", text, _TUS | {"Upload-Offset": "0"})


def _busy() -> Problem:
    text = "all of it is here and is being verified; ask again"
    return Problem(423, "verifying", text, _TUS | {"Retry-After": "5"})


def _full() -> Problem:
    return Problem(507, "store", "the desk's disk takes no more", _TUS)


def _checksum(request: AnyRequest) -> tuple[str, bytes]:
    """(algorithm, digest) of the header Upload-Checksum; an empty digest where there is none."""
    header = request.headers.get("upload-checksum")
    if not header:
        return "sha256", b""
    name, _, digest = header.partition(" ")
    try:
        wanted = base64.b64decode(digest, validate=True)
    except binascii.Error:
        wanted = b""
    if name not in ALGORITHMS or not wanted:
        raise Problem(400, "malformed", "Upload-Checksum is sha1 or sha256 and a digest in base64", _TUS)
    return name, wanted


def _number(request: AnyRequest, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Problem(400, "malformed", f"{header} must be a number", _TUS)
    return int(text)


def _too_long(upload: Upload) -> Problem:
    return Problem(413, "too_large", f"this upload has {upload.grant.bytes} bytes", _TUS)
