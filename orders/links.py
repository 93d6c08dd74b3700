"""The signed link to an order group: whoever has it may see the group and act as its buyer."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.errors import NotFound
from orders.models import OrderGroup

KEY_BYTES = 16


def link_key(group: OrderGroup) -> str:
    """128 bits over the group's id and the version of its link, as 22 letters.

    Raising `link_version` ends every link given so far.
    """
    message = f"order link {group.id} {group.link_version}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), message, sha256)
    return urlsafe_b64encode(digest[:KEY_BYTES]).decode().rstrip("=")


def link_path(group: OrderGroup) -> str:
    """Where the group's page is."""
    return f"/o/{group.number}/{link_key(group)}/"


def link_url(group: OrderGroup) -> str:
    """The same as an address for mails and for channels that send the shopper back."""
    return f"{settings.PUBLIC_URL}{link_path(group)}"


def group_of_link(*, number: str, key: str) -> OrderGroup:
    """The group that the link opens; the key is compared in constant time.

    Raises NotFound `order.unknown`, in the same words for a wrong number and for a wrong key.
    """
    numbers = OrderGroup.objects.filter(number=number)
    group = numbers.first() if number.isprintable() else None  # no NUL reaches the database
    if group is None or not hmac.compare_digest(link_key(group).encode(), key.encode()):
        raise NotFound("order.unknown", _("There is no such order."))
    return group
