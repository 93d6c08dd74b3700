"""Lists a page at a time: by keyset, never by offset, never counted.

A cursor holds the place after the last row and is signed together with the address and the filters
of its list, so that it can't be made up, nor be taken to another list.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.core import signing
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.fields import Query
from core.errors import Invalid

M = TypeVar("M", bound=Model)
Position = list[Any]

MOST_PER_PAGE = 200
USUAL_PER_PAGE = 50
CURSOR = r"^[A-Za-z0-9_:-]{1,300}$"


class PageQuery(Query):
    """Which part of a list."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_PER_PAGE, default=USUAL_PER_PAGE, help_text="Rows at most."
    )
    cursor = serializers.RegexField(
        CURSOR, required=False, help_text="`next_cursor` of the page before."
    )


def position_of(request: Request) -> Position | None:
    """Where the page begins; None at the start. Raises Invalid `cursor-invalid`."""
    cursor = request.query_params.get("cursor")
    if not cursor:
        return None
    try:
        position: Position = _signer(request).unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        raise Invalid("cursor-invalid", _("This cursor is not one of this list.")) from None
    return position


def page_of(
    request: Request,
    *,
    rows: list[Any],
    after: Position | None,
    present: Callable[[list[Any]], Any],
) -> Response:
    """The rows, and where the next page begins: `{data, next_cursor, has_more}` and a Link."""
    cursor = _signer(request).sign_object(after) if after else None
    response = Response(
        {"data": present(rows), "next_cursor": cursor, "has_more": cursor is not None}
    )
    if cursor:
        query = request.query_params.copy()
        query["cursor"] = cursor
        address = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
        response["Link"] = f'<{address}>; rel="next"'
    return response


def keyset_page(
    request: Request,
    rows: QuerySet[M],
    *,
    limit: int,
    present: Callable[[list[M]], Any],
) -> Response:
    """One page of rows, the newest id first."""
    rows = rows.order_by("-pk")
    if position := position_of(request):
        rows = rows.filter(pk__lt=position[0])
    found = list(rows[: limit + 1])
    shown = found[:limit]
    after = [shown[-1].pk] if len(found) > limit else None
    return page_of(request, rows=shown, after=after, present=present)


def page(row: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The serializer of a page of such rows, for the schema."""
    fields = {
        "data": row(many=True),
        "next_cursor": serializers.CharField(allow_null=True),
        "has_more": serializers.BooleanField(),
        "__doc__": "A page of a list.",
    }
    return type(f"{row.__name__}Page", (serializers.Serializer,), fields)


def _signer(request: Request) -> signing.Signer:
    """Signs for this list and its filters alone; how many rows a page has may change."""
    filters = sorted(
        (name, value)
        for name, value in request.query_params.items()
        if name not in ("cursor", "limit")
    )
    return signing.Signer(salt=f"cursor {request.path} {filters}")
