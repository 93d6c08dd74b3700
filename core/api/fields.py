"""Fields that are strict: what is not exactly of the type is refused, what is unknown too."""

from collections.abc import Mapping
from datetime import UTC
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from core.errors import Invalid, NotFound
from core.money import LARGEST_MINOR

LARGEST_ID = 2**63 - 1
ID_DIGITS = 19
LARGEST_QUANTITY = 2**31 - 1
ID_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,19}$"}


class Serializer(serializers.Serializer[Any]):
    """Refuses members that it does not know: a mistyped name must not pass for an absent one."""

    def to_internal_value(self, data: Any) -> Any:
        """The checked input. Raises Invalid `state-not-writable`: a state follows from actions."""
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(set(data) - known)
            if "state" in unknown:
                raise Invalid("state-not-writable", _("A state can't be set; use the actions."))
            if unknown:
                detail = ErrorDetail(str(_("There is no such field.")), code="unknown-field")
                raise serializers.ValidationError({name: [detail] for name in unknown})
        return super().to_internal_value(data)


class Query(serializers.Serializer[Any]):
    """The parameters of a list; `ApiView` refuses those that stand in no query of the view."""


@extend_schema_field(ID_SCHEMA)
class Id(serializers.Field[Any, Any, str, Any]):
    """An id of 64 bits as text: as a JSON number it would lose its last digits."""

    default_error_messages = {"invalid": _("Enter an id: a text of up to 19 digits.")}

    def to_internal_value(self, data: Any) -> int:
        number = _number(data)
        if number is None:
            self.fail("invalid")
        return number

    def to_representation(self, value: Any) -> str:
        return str(value)


class Text(serializers.CharField):
    """Text that is sent as text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """A whole number that is sent as one."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class Quantity(Integer):
    """Units of something, at least one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_QUANTITY, **options})


class Time(serializers.DateTimeField):
    """RFC 3339 in UTC, whatever the zone of the pages."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class MoneyAmount(Serializer):
    """An amount in minor units of its currency: 9.50 EUR is 950."""

    amount = Integer(min_value=-LARGEST_MINOR, max_value=LARGEST_MINOR)
    currency = Text(min_length=3, max_length=3)


@extend_schema_field(MoneyAmount)
class MoneyOf(serializers.Field[Any, Any, dict[str, Any] | None, Any]):
    """An amount of the row that is shown, with its currency; both are named by their path.

    Without a currency there is no amount either: null, where the field allows it.
    """

    def __init__(self, minor: str, *, currency: str = "currency", **options: Any) -> None:
        super().__init__(source="*", read_only=True, **options)
        self.minor, self.currency = attrgetter(minor), attrgetter(currency)

    def to_representation(self, row: Any) -> dict[str, Any] | None:
        currency = self.currency(row)
        return {"amount": self.minor(row), "currency": currency} if currency else None


class StateIs(serializers.ChoiceField):
    """One of a machine's states."""

    def __init__(self, names: Any, **options: Any) -> None:
        super().__init__(choices=list(names), **options)


def id_from(text: str) -> int:
    """The id that stands in a path. Raises NotFound for what can be none."""
    number = _number(text)
    if number is None:
        raise not_found()
    return number


def not_found() -> NotFound:
    """In the same words for what is not there and for what is somebody else's."""
    return NotFound("not-found", _("There is no such thing, or it is not yours."))


def _number(data: Any) -> int | None:
    """64 bits in ASCII digits, without a sign or spaces."""
    if not (isinstance(data, str) and data.isascii() and data.isdecimal()):
        return None
    number = int(data) if len(data) <= ID_DIGITS else LARGEST_ID + 1
    return number if number <= LARGEST_ID else None


def parsed(serializer: type[Serializer], request: Request) -> dict[str, Any]:
    """The checked body of a request. Raises ValidationError with every field that is wrong."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values
