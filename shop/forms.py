"""What shoppers fill in. The services judge the answers; a form keeps them and shows the judgement."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.countries import countries_by_name
from orders.addresses import FIELDS
from shop.errors import PageError
from shop.parse import as_number

DELIVERY = "delivery_"


class AnswerForm(forms.Form):
    """No field is required by the browser, and none loses what was typed."""

    use_required_attribute = False

    def tell(self, errors: Iterable[PageError]) -> None:
        """Shows each error at its field, in the words of the summary."""
        self.errors.clear()  # what the library thinks of the answers is not asked
        for error in errors:
            if error.field in self.fields:
                self.add_error(error.field, error.message)

    def answers(self) -> dict[str, str]:
        """What was typed, field by field; '' where the browser sent nothing."""
        return {name: str(self.data.get(name, "")) for name in FIELDS}


def _text(label: Any, autocomplete: str, *, hint: Any = "", **attributes: Any) -> forms.CharField:
    given = {"autocomplete": autocomplete, **attributes}
    widget = forms.TextInput(given)
    return forms.CharField(label=label, help_text=hint, required=False, widget=widget, strip=False)


class ContactForm(AnswerForm):
    """Who orders and where it goes, in the order of the page."""

    email = forms.CharField(
        label=_("Email address"),
        help_text=_("For the order confirmation and delivery updates"),
        required=False,
        widget=forms.EmailInput({"autocomplete": "email", "spellcheck": "false", "maxlength": 254}),
    )
    name = _text(_("Full name"), "name", spellcheck="false")
    country = forms.CharField(
        label=_("Country"), required=False, widget=forms.Select({"autocomplete": "country"})
    )
    line1 = _text(_("Address line 1"), "address-line1")
    line2 = _text(_("Address line 2 (optional)"), "address-line2")
    city = _text(_("Town or city"), "address-level2")
    region = _text(_("State, province or region (optional)"), "address-level1")
    postcode = _text(
        _("Postcode"), "postal-code", hint=_("Leave it empty where there is none"), size=10
    )
    phone = forms.CharField(
        label=_("Phone number (optional)"),
        help_text=_("Only used by the courier if there is a problem with delivery"),
        required=False,
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel"}),
    )

    narrow = ("postcode",)

    def __init__(self, *args: Any, email: str = "", **kwargs: Any) -> None:
        """`email` is that of a login: it is not asked, for the order belongs to the login."""
        super().__init__(*args, **kwargs)
        self.known_email = email
        countries = [("", _("Select a country")), *countries_by_name()]
        self.fields["country"].widget.choices = countries
        if email:
            del self.fields["email"]

    def answers(self) -> dict[str, str]:
        """With the login's own address in place of what anybody sends."""
        given = super().answers()
        return given | {"email": self.known_email} if self.known_email else given


def chosen_ways(data: Mapping[str, Any]) -> dict[int, int]:
    """The way of delivery of each merchant; what is no number is no way of anybody."""
    return {
        as_number(name.removeprefix(DELIVERY)) or 0: as_number(str(value)) or 0
        for name, value in data.items()
        if name.startswith(DELIVERY)
    }
