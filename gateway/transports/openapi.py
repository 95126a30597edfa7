"""The route table as an OpenAPI 3.1 document, with the schemas of the types that read and write the bodies. Pure."""

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import msgspec

from gateway.protocol.http import Failed
from gateway.transports.operations import JSON, Answer, Operation, Parameter

Json = dict[str, Any]

REF: Final = "#/components/schemas/{name}"

ALWAYS: Final = {
    403: "origin_not_allowed: this web origin may not connect. missing_right_…: who asks may not do this.",
    421: "host_not_allowed: the gateway is not reached under this Host.",
}


def openapi(operations: Sequence[Operation], *, secured: bool) -> Json:
    """The document; *secured* says that a token must be presented."""
    kinds = [Failed, *dict.fromkeys(_kinds(operations))]
    found, components = msgspec.json.schema_components(kinds, ref_template=REF)
    schemas = dict(zip(kinds, found, strict=True))
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas, secured)
    described: Json = {"schemas": components}
    if secured:
        described["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bargein",
            "version": "1",
            "description": "Sessions by plain requests. Their events, and the WebSocket, are in /asyncapi.json. "
            "What begins with /v1 is under /openai as well, for clients of Azure.",
        },
        "paths": paths,
        "components": described,
    }


def _kinds(operations: Iterable[Operation]) -> Iterable[Any]:
    for operation in operations:
        for content in (operation.body, *(answer.content for answer in operation.answers.values())):
            yield from (_one(kind) for kind in content.values() if kind is not None)


def _one(kind: Any) -> Any:
    return reduce(or_, kind) if isinstance(kind, tuple) else kind


def _operation(operation: Operation, schemas: dict[Any, Json], secured: bool) -> Json:
    faults = {**ALWAYS, **operation.faults}
    if secured and not operation.open:
        faults[401] = "invalid_api_key, token_expired, token_in_query"
    answers = {status: _answer(answer, schemas) for status, answer in operation.answers.items()}
    answers |= {
        status: {"description": about, "content": {JSON: {"schema": schemas[Failed]}}}
        for status, about in faults.items()
    }
    words = re.findall("[a-z0-9]+", f"{operation.method} {operation.path}".lower())
    described: Json = {
        "operationId": "_".join(words),
        "summary": operation.summary,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": {str(status): answers[status] for status in sorted(answers)},
    }
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": _content(operation.body, schemas),
        }
    if secured and not operation.open:
        described["security"] = [{"token": []}]
    return described


def _answer(answer: Answer, schemas: dict[Any, Json]) -> Json:
    described: Json = {"description": answer.about}
    if answer.content:
        described["content"] = _content(answer.content, schemas)
    if answer.headers:
        described["headers"] = {
            name: {"description": about, "schema": {"type": "string"}} for name, about in answer.headers.items()
        }
    return described


def _content(content: Any, schemas: dict[Any, Json]) -> Json:
    return {
        media: {"schema": schemas[_one(kind)] if kind is not None else _PLAIN.get(media, {"type": "string"})}
        for media, kind in content.items()
    }


_PLAIN: Final[dict[str, Json]] = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "sdp": {"type": "string"},
            "session": {"type": "string", "description": "The JSON of a session.update."},
        },
        "required": ["sdp"],
        "additionalProperties": False,
    }
}


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.about,
        "required": parameter.where == "path",
        "schema": dict(parameter.schema),
    }
