"""The words for states that buyers read: one place, so that pages and mails say the same."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders import states

Words = dict[str, tuple[str | Promise, str]]

# State → what it is called, and whether that is good, waits, or is bad.
ORDER: Words = {
    states.PENDING_PAYMENT: (_("Waiting for payment"), "wait"),
    states.PAID: (_("Paid"), "good"),
    states.ACKNOWLEDGED: (_("Being prepared"), "good"),
    states.PACKING: (_("Being packed"), "good"),
    states.SHIPPED: (_("Shipped"), "good"),
    states.DELIVERED: (_("Delivered"), "good"),
    states.COMPLETED: (_("Delivered"), "good"),
    states.CANCELLED: (_("Cancelled"), "bad"),
}
PARCEL: Words = {
    "prepared": (_("Packed"), "wait"),
    "handed_over": (_("With the carrier"), "good"),
    "in_transit": (_("On its way"), "good"),
    "out_for_delivery": (_("Out for delivery"), "good"),
    "exception": (_("Held up"), "bad"),
    "refused": (_("Refused at the door"), "bad"),
    "delivered": (_("Delivered"), "good"),
    "lost": (_("Lost"), "bad"),
    "returned": (_("Sent back"), "bad"),
}
ATTEMPT: Words = {
    "created": (_("Begun"), "wait"),
    "requires_action": (_("Waiting for you at your bank"), "wait"),
    "processing": (_("Waiting for your bank"), "wait"),
    "succeeded": (_("Paid"), "good"),
    "failed": (_("Not accepted"), "bad"),
    "closed": (_("Ended"), "bad"),
}
REFUND: Words = {
    "pending": (_("is being checked"), "wait"),
    "approved": (_("is being sent to your bank"), "wait"),
    "sent": (_("was sent to your bank"), "wait"),
    "succeeded": (_("is back in your account"), "good"),
    "failed": (_("could not be paid out; we will try again"), "bad"),
    "declined": (_("was declined"), "bad"),
}
