"""Refusals as `application/problem+json` (RFC 9457): one shape for every status that is no success."""

import json
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from core.errors import DomainError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:quayside:problem:"
# Asking again with the same key may go well, with nothing changed.
RETRYABLE = frozenset({"idempotency-in-progress", "internal", "too-many-tries", "unavailable"})
# Where the answer is another than that of the refusal's kind.
STATUS_OF_CODE = {
    "idempotency-key-missing": HTTPStatus.BAD_REQUEST,
    "unknown-parameter": HTTPStatus.BAD_REQUEST,
}
CODE_OF_STATUS = {
    400: "malformed-json",
    401: "key-invalid",
    403: "csrf-failed",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
}
PAUSE_SECONDS = 1


class BodyTooLarge(exceptions.APIException):
    """More than any request of ours needs."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is too large.")


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer for any error that a view raises; what nobody expected is logged and is a 500."""
    about = about_request(context["request"].path, context["view"].request_id)
    if isinstance(error, DomainError):
        return answer(about, **refusal(error))
    if isinstance(error, RecursionError):  # a body too deep for what looks into it
        error = exceptions.ParseError()
    if isinstance(error, exceptions.ValidationError):
        return answer(
            about,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            code="validation",
            detail=_("Some of this is not right."),
            errors=list(field_errors(error.detail)),
        )
    if isinstance(error, exceptions.APIException):
        code = CODE_OF_STATUS[error.status_code]
        return answer(about, status=error.status_code, code=code, detail=str(error.detail))
    return answer(about, **_failure(error))


def about_request(path: str, request_id: str) -> dict[str, str]:
    """The members that name the request: its address as a URI, and its id."""
    return {"instance": escape_uri_path(path), "request_id": request_id}


def _failure(error: Exception) -> dict[str, Any]:
    """A database that is away or too busy is worth another try; the rest is a mistake of ours."""
    logger.error("the API failed", exc_info=error)
    if isinstance(error, OperationalError):
        return {
            "status": HTTPStatus.SERVICE_UNAVAILABLE,
            "code": "unavailable",
            "detail": _("This is not possible for the moment."),
            "retry_after": PAUSE_SECONDS,
        }
    return {
        "status": HTTPStatus.INTERNAL_SERVER_ERROR,
        "code": "internal",
        "detail": _("Something went wrong on our side."),
    }


def refusal(error: DomainError) -> dict[str, Any]:
    """Status, code, sentence and facts of a domain error; `fields` and `errors` name what is wrong."""
    code = slug(error.code)
    facts = dict(error.facts)
    errors = [
        {"pointer": f"/{name}", "code": "invalid", "message": str(message)}
        for name, messages in facts.pop("fields", {}).items()
        for message in messages
    ]
    errors += [
        {"pointer": f"/{told['field']}", "code": slug(told["code"]), "message": told["message"]}
        for told in facts.pop("errors", [])
    ]
    return {
        **facts,
        "status": STATUS_OF_CODE.get(code, error.http_status),
        "code": code,
        "detail": error.message,
        "errors": errors,
    }


def slug(code: str) -> str:
    """`stock.insufficient` as integrators read it: `stock-insufficient`."""
    return code.replace(".", "-").replace("_", "-")


def body_of(about: Mapping[str, Any], **problem: Any) -> dict[str, Any]:
    """The document: what RFC 9457 names, our members, then the facts of this refusal."""
    status, code = int(problem.pop("status")), problem.pop("code")
    detail, errors = problem.pop("detail"), problem.pop("errors", [])
    document = {
        "type": TYPE_PREFIX + code,
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "errors": errors,
        "retryable": code in RETRYABLE,
        **about,
    }
    merged: dict[str, Any] = plain({**problem, **document})
    return merged


def answer(about: Mapping[str, Any], **problem: Any) -> Response:
    """The document as a response."""
    document = body_of(about, **problem)
    response = Response(document, status=document["status"], content_type=MEDIA_TYPE)
    if "retry_after" in document:
        response["Retry-After"] = str(document["retry_after"])
    if document["status"] == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def plain(data: Any) -> Any:
    """The data as JSON has it, so that it can be stored and shown again."""
    return json.loads(JSONRenderer().render(data))


def field_errors(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Each message of a validation error, with a JSON pointer to what it is about."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            below = pointer if name == "non_field_errors" else f"{pointer}/{_escaped(str(name))}"
            yield from field_errors(inner, below)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, (dict, list))
            yield from field_errors(inner, f"{pointer}/{place}" if nested else pointer)
    else:
        code = slug(getattr(detail, "code", "invalid"))
        yield {"pointer": pointer, "code": code, "message": _storable(str(detail))}


def _escaped(name: str) -> str:
    return _storable(name.replace("~", "~0").replace("/", "~1"))


def _storable(text: str) -> str:
    """Input that is quoted may hold half of a character pair, which no encoding can write."""
    return text.encode("utf-8", "replace").decode()
