"""The API as an OpenAPI 3.1 document: `python -m desk.openapi docs/wire/openapi.json`, and at /schema/openapi.json.

Addresses, parameters and answers come from the handlers, who may use what from desk.people.rights, and what a signature
cannot say (titles, what a request brings, which errors beside those that follow) from desk.described. Schemas are
msgspec's own: they say of each message exactly what is taken and given.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.response import Redirect, Stream
from litestar.routes import HTTPRoute

from desk.described import DESCRIBED, PROBLEMS, TAGS, Entry, tag_of
from desk.people.rights import Rule, Way, rule_of
from desk.problems import PROBLEM_TYPE, ProblemBody

Json = dict[str, Any]

JSON = "application/json"
REF = "#/components/schemas/{name}"
PROBLEM = {"$ref": REF.format(name=ProblemBody.__name__)}
COOKIE, TOKEN, VIEWER = "cookie", "token", "viewer"
SECURITY = {
    COOKIE: {
        "type": "apiKey",
        "in": "cookie",
        "name": "desk",
        "description": "As pages have it after signing in (`__Host-desk` over TLS). Requests that change something "
        "then need the header `X-Desk: 1` and an `Origin` of the desk's own.",
    },
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "desk_…",
        "description": "An API token of a person (*My account*), with the scopes `read` or `write`, within what its "
        "person may do.",
    },
    VIEWER: {
        "type": "http",
        "scheme": "bearer",
        "description": "A token for one session, from `POST /api/sessions/{session_id}/token`.",
    },
}
ABOUT = (
    "What the desk's pages do, a program can do. Errors are problem details (RFC 9457) with a stable `code`. Unknown "
    "fields are ignored, and new ones may come: programs should ignore what they do not know. More, with examples: "
    "docs/api.md."
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `answer`: what a success is annotated with."""

    method: str
    path: str
    handler: HTTPRouteHandler
    entry: Entry

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def rule(self) -> Rule:
        return rule_of(self.method, self.path) or Rule()

    @property
    def answer(self) -> Any:
        """A type that msgspec knows, or None where the success has no body of JSON."""
        given = self.handler.parsed_fn_signature.return_type.annotation
        if get_origin(given) is Response:
            (given,) = get_args(given)
        plain = given in (None, type(None), Any, str, bytes, Stream, Redirect) or given is Response
        return None if plain or self.entry.gives else given


def operations(app: Litestar) -> Iterator[Operation]:
    """Of the API; pages are none of it. In the order of their addresses."""
    found = {
        f"{method} {route.path_format}": (handler, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
    }
    for key, entry in DESCRIBED.items():
        if key in found:
            handler, path = found[key]
            yield Operation(key.partition(" ")[0], path, handler, entry)


def document(app: Litestar) -> Json:
    return complete(app, app.openapi_schema.to_schema())


def complete(app: Litestar, draft: Json) -> Json:
    """`draft`: what Litestar makes of the handlers alone."""
    ours = sorted(operations(app), key=lambda o: (o.path, o.method))
    bodies = {kind for o in ours for kind in (o.answer, o.entry.body) if kind is not None}
    kinds = [ProblemBody, *sorted(bodies, key=str), *_of_parameters(ours)]
    own, components = msgspec.json.schema_components(kinds, ref_template=REF)
    schemas = dict(zip(kinds, own, strict=True))
    paths: Json = {}
    for o in ours:
        paths.setdefault(o.path, {})[o.method.lower()] = _operation(
            o, draft["paths"][o.path][o.method.lower()], schemas
        )
    told = {
        "openapi": draft["openapi"],
        "info": {"title": "Video desk", "version": "1", "description": ABOUT},
        "servers": [{"url": "/", "description": "The desk that serves this document."}],
        "tags": [{"name": tag, "description": text} for tag, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {
                str(status): {"description": text, "content": {PROBLEM_TYPE: {"schema": PROBLEM}}}
                for status, text in PROBLEMS.items()
            },
            "securitySchemes": SECURITY,
        },
    }
    cleaned: Json = _clean(json.loads(msgspec.json.encode(told)))
    return cleaned


def _of_parameters(ours: list[Operation]) -> list[Any]:
    """The named kinds (states and the like) that parameters refer to."""
    fields = [f for o in ours for f in o.handler.parsed_fn_signature.parameters.values()]
    inner = [kind for f in fields for kind in (f.annotation, *(i.annotation for i in f.inner_types))]
    inner += [arg for kind in inner for arg in get_args(kind)]
    return sorted({k for k in inner if isinstance(k, type) and hasattr(k, "__members__")}, key=str)


def _operation(o: Operation, draft: Json, schemas: dict[Any, Json]) -> Json:
    told: Json = {"tags": [tag_of(o.path)], "summary": o.entry.title, "operationId": _name(o)}
    if text := cleandoc(o.handler.fn.__doc__ or ""):
        told["description"] = text.partition("\nRaises:")[0].strip()
    told["parameters"] = [_parameter(p) for p in draft.get("parameters", [])]
    if o.entry.sends or o.entry.body:
        schema = schemas[o.entry.body] if o.entry.body else {"type": "string"}
        told["requestBody"] = {"required": True, "content": {o.entry.sends or JSON: {"schema": schema}}}
    told["responses"] = {**_success(o, draft, schemas), **_problems(o)}
    told["security"] = _security(o)
    return told


def _parameter(draft: Json) -> Json:
    kept: Json = {key: draft[key] for key in ("name", "in", "required", "description") if key in draft}
    schema = draft["schema"]
    if "oneOf" in schema:  # left out, not sent as null
        (schema,) = [s for s in schema["oneOf"] if s != {"type": "null"}]
    if draft["in"] == "path":
        schema = {**schema, "minLength": 1, "pattern": "^[^/]+$"}
    return {**kept, "schema": schema}


def _success(o: Operation, draft: Json, schemas: dict[Any, Json]) -> Json:
    statuses = [s for s in draft["responses"] if s < "400"] if not o.entry.statuses else map(str, o.entry.statuses)
    return {status: _answer(o, int(status), schemas) for status in statuses}


def _answer(o: Operation, status: int, schemas: dict[Any, Json]) -> Json:
    told: Json = {"description": HTTPStatus(status).phrase}
    if status in (204, 304) or o.method in ("HEAD", "OPTIONS"):
        return told
    if o.answer is not None:
        told["content"] = {JSON: {"schema": schemas[o.answer]}}
    elif o.entry.gives:
        told["content"] = {kind: {} for kind in o.entry.gives.split()}
    return told


def _problems(o: Operation) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(_statuses(o))}


def _statuses(o: Operation) -> set[int]:
    """400: what is no address or no value. The rest: from who may, from what it is about, and from what it brings."""
    found = {400, *o.entry.problems}
    if o.rule.way is Way.SIGNED_IN:
        found |= {401, 403}
    elif o.rule.way is Way.FORM:
        found |= {403}
    if "{" in o.path:
        found.add(404)
    if o.entry.body or o.entry.sends:
        found |= {413, 415}
    return found


def _security(o: Operation) -> list[Json]:
    """Any one of these."""
    if o.entry.viewer:
        return [{VIEWER: []}]
    if o.rule.way is not Way.SIGNED_IN:
        return []
    token = [{TOKEN: [o.rule.scope.value]}] if o.rule.scope else []
    return [*token, {COOKIE: []}]


def _name(o: Operation) -> str:
    """Of the function; with the address where several have one function."""
    plain = o.handler.fn.__name__
    shared = len(o.handler.paths) > 1 or len(o.handler.http_methods) > 1
    return f"{o.method.lower()}_{re.sub(r'[^a-z]+', '_', o.path).strip('_')}" if shared else plain


def _clean(told: Any) -> Any:
    """Docstrings without what the language adds; whole numbers as such."""
    if isinstance(told, list):
        return [_clean(each) for each in told]
    if isinstance(told, float) and told.is_integer():
        return int(told)
    if not isinstance(told, dict):
        return told
    kept = {key: _clean(value) for key, value in told.items()}
    if isinstance(kept.get("description"), str):
        kept["description"] = cleandoc(kept["description"])
    return kept


class _Whole(JsonRenderPlugin):
    """Serves the document: made once."""

    def __init__(self) -> None:
        super().__init__()
        self._made = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        self._made = self._made or msgspec.json.encode(complete(request.app, openapi_schema))
        return self._made


def settings() -> OpenAPIConfig:
    return OpenAPIConfig("Desk", "1", render_plugins=[_Whole()])


def text() -> str:
    from desk.app import bare_app  # noqa: PLC0415 - that imports this

    return json.dumps(document(bare_app()), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    if arguments:
        Path(arguments[0]).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())


if __name__ == "__main__":
    main(sys.argv[1:])
