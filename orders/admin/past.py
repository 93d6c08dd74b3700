"""What of an order's past a page is asked for: kinds of entries, and the row as it was at an instant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from core.fsm import Stateful
from orders.admin import words
from orders.models import OrderGroup
from orders.selectors.history import AsOf, GroupAsOf, field_of, order_as_of, rows_as_of
from orders.selectors.timeline import PRIVATE, Kind, in_words

KIND, AT = "kind", "at"


class InstantForm(forms.Form):
    """An instant, in UTC as all times of the consoles."""

    at = forms.DateTimeField(
        label=_("As it was at (UTC)"),
        required=False,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "2026-11-22 18:00:00", "autocomplete": "off"}
        ),
        error_messages={"invalid": _("Enter a time such as 2026-11-22 18:00:00.")},
    )


def kinds_of(request: HttpRequest) -> tuple[Kind, ...]:
    """The kinds that are asked for; all of them where none that there is."""
    asked = set(request.GET.getlist(KIND))
    return tuple(kind for kind in Kind if kind in asked) or tuple(Kind)


def kind_links(shown: tuple[Kind, ...]) -> list[dict[str, Any]]:
    """A link per kind, behind one for all."""
    alone = shown[0] if len(shown) == 1 else None
    links = [
        {"title": kind.label, "query": f"?{KIND}={kind}", "on": kind is alone} for kind in Kind
    ]
    return [{"title": _("All"), "query": "?", "on": len(shown) == len(Kind)}, *links]


def as_of(request: HttpRequest, row: Stateful) -> dict[str, Any]:
    """The form, and what it asks for: the order's own past, or the group's with its orders'."""
    form = InstantForm(request.GET if request.GET.get(AT) else None)
    if not form.is_bound or not form.is_valid():
        return {"instant": form}
    at: datetime = form.cleaned_data[AT].astimezone(UTC)
    return {"instant": form, "as_of_at": at, "as_of": list(_told(row, at))}


def _told(row: Any, at: datetime) -> Iterator[dict[str, Any]]:
    if isinstance(row, OrderGroup):
        past = order_as_of(row, at)
        numbers = dict(row.orders.values_list("id", "number"))
    else:
        model = type(row)
        found = rows_as_of(model, [row.id], shard_key=row.shard_key, at=at)
        past = GroupAsOf(found[0], []) if found else None
        numbers = {}
    if past is None:
        return
    yield _row(row, row.number, past.group)
    for order in past.orders:
        yield _row(row.orders.model, numbers[order.id], order)


def _row(model: Any, number: str, past: AsOf) -> dict[str, Any]:
    return {
        "number": number,
        "state": words.STATE_WORDS[past.state],
        "version": past.version,
        "fields": [
            (str(field_of(model, name).verbose_name), in_words(value))
            for name, value in past.fields.items()
            if name not in PRIVATE
        ],
    }
