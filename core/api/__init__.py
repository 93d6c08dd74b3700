"""What every resource of the API shares: problems, fields, pages, keyed requests, their schema.

Each app owns its resources (`<app>/api`), `accounts/api.py` says who calls, and `config/api.py`
composes them under `/api/v1`.
"""

from core.api.fields import (
    Id,
    Integer,
    MoneyAmount,
    MoneyOf,
    Quantity,
    Query,
    Serializer,
    StateIs,
    Text,
    Time,
    id_from,
    not_found,
    parsed,
)
from core.api.pages import PageQuery, keyset_page, page, page_of, position_of
from core.api.schema import operation
from core.api.views import ApiView

__all__ = [
    "ApiView",
    "Id",
    "Integer",
    "MoneyAmount",
    "MoneyOf",
    "PageQuery",
    "Quantity",
    "Query",
    "Serializer",
    "StateIs",
    "Text",
    "Time",
    "id_from",
    "keyset_page",
    "not_found",
    "operation",
    "page",
    "page_of",
    "parsed",
    "position_of",
]
