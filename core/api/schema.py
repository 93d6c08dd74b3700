"""How an operation stands in the OpenAPI document: what it takes, and every status it may answer."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import serializers

from core.api.problems import MEDIA_TYPE

Decorator = Callable[[Any], Any]
AnySerializer = type[serializers.Serializer[Any]]

ALWAYS = (400, 401, 403, 500, 503)
WITH_BODY = (413, 415, 422)
MEANINGS = {
    400: "The request can't be read, or names a parameter that is not known.",
    401: "No key or session, or one that does not work.",
    403: "The key lacks the scope, or the browser's request lacks its CSRF token.",
    404: "There is no such thing, or it is not yours.",
    409: "Not possible in the present state; or the same request is still running.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A field, a filter or a rule says no.",
    429: "Tried too often; try again after the time that `Retry-After` names.",
    500: "A mistake of ours.",
    503: "Not possible for the moment; try again.",
}


class FieldError(serializers.Serializer[Any]):
    """One thing that is wrong, and where: a JSON pointer into the body, or a parameter's name."""

    pointer = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Why it was refused (RFC 9457); members beside these are the facts of that refusal."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    errors = FieldError(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()
    retryable = serializers.BooleanField()


KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    pattern="^[!-~]{16,255}$",
    description="Names this request: sent again, it answers the same and does nothing twice.",
)


Answer = AnySerializer | PolymorphicProxySerializer | OpenApiTypes | None


def operation(
    summary: str,
    *,
    tag: str,
    answer: Answer,
    status: int = HTTPStatus.OK,
    body: AnySerializer | None = None,
    query: AnySerializer | None = None,
    keyed: bool = False,
    problems: Iterable[int] = (),
) -> Decorator:
    """Declares one method of a view; the statuses that follow from its parts need no naming.

    What is answered as text is a table in CSV.
    """
    media_type = "text/csv" if answer is OpenApiTypes.STR else "application/json"
    statuses = {*ALWAYS, *problems}
    if body:
        statuses |= set(WITH_BODY)
    if query:
        statuses.add(422)
    if keyed:
        statuses |= {409, 422}
    parameters: list[Any] = [query] if query else []
    if keyed:
        parameters.append(KEY)
    refusals = {
        (code, MEDIA_TYPE): OpenApiResponse(Problem, description=MEANINGS[code])
        for code in sorted(statuses)
    }
    name = "_".join(word for word in summary.lower().split() if word not in ("a", "an"))
    return extend_schema(
        operation_id=name,
        summary=summary,
        tags=[tag],
        request=body,
        parameters=parameters,
        responses={(int(status), media_type): answer, **refusals},
    )


def finished(result: dict[str, Any], **_given: Any) -> dict[str, Any]:
    """Says of everything that is sent to us that it has no other members, as is enforced."""
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("In") or name == "MoneyAmount":
            schema["additionalProperties"] = False
        for member in schema.get("properties", {}).values():
            member.pop("x-spec-enum-id", None)
    return result
