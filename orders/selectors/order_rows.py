"""What stands in the parts of an order's page: its steps, its parcels, the money that goes back."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from orders import words
from orders.sentences import amount
from payments.models import Refund
from payments.states import REFUND


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an order's life: `done`, `current` or `todo`, and when it was reached."""

    label: str
    stage: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel with its contents in words and its carrier's own list of events."""

    carrier: str
    tracking_number: str
    status: str
    contents: list[str]
    events: list[tuple[datetime, str, str]]  # when, what, the carrier's note

    @property
    def word(self) -> str:
        """How it stands."""
        return str(words.PARCEL[self.status][0])

    @property
    def mood(self) -> str:
        """Whether that is good, waits, or is bad."""
        return words.PARCEL[self.status][1]


@dataclass(frozen=True, slots=True)
class Back:
    """Money that goes back."""

    refund: Refund

    @property
    def amount(self) -> str:
        """How much."""
        return amount(self.refund.amount_minor, self.refund.currency)

    @property
    def word(self) -> str:
        """How it stands."""
        if self.refund.is_to_credit and self.refund.status == "succeeded":
            return str(_("is back as store credit"))
        return str(words.REFUND[self.refund.status][0])

    @property
    def at(self) -> datetime:
        """Since when it stands so."""
        return self.refund.status_changed_at

    @property
    def taken_minor(self) -> int:
        """What of the paid money is gone by it: nothing where it was declined or has failed."""
        return (
            0 if self.refund.status in REFUND.in_chapter("not_taken") else self.refund.amount_minor
        )
