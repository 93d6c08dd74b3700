"""Writing a note, on an order's page and on a group's."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.actors import Actor
from accounts.consoles import Act
from accounts.consoles.acts import ActForm
from orders.models import Order, OrderGroup
from orders.services.note import LONGEST_NOTE, note_add


class NoteForm(ActForm):
    """What to keep."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )


class NoteOnOrder(Act):
    verb = "note"
    title = gettext_lazy("Write a note")
    form_class = NoteForm
    moves_on = False

    def preview(self, row: Order) -> list[str]:
        return [_("The merchant and the platform read it, the buyer does not. It stays for good.")]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        note_add(group_id=row.group_id, order_id=row.id, text=fields["text"], actor=actor)
        return _("The note is kept.")


class NoteOnGroup(NoteOnOrder):
    def preview(self, row: OrderGroup) -> list[str]:  # type: ignore[override]
        return [_("Only the platform’s staff read it. It stays for good.")]

    def do(self, row: OrderGroup, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:  # type: ignore[override]
        note_add(group_id=row.id, order_id=None, text=fields["text"], actor=actor)
        return _("The note is kept.")
