"""Whose rows an actor may touch, and what a member may do: one rule set for services, consoles, APIs."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from accounts.models import Merchant, MerchantMember
from core.errors import Denied

M = TypeVar("M", bound=Model)

PLATFORM = frozenset({Role.STAFF, Role.SYSTEM})

Member = MerchantMember.Role
MANAGERS = frozenset({Member.OWNER, Member.MANAGER})
PACKERS = MANAGERS | {Member.FULFILMENT}
# What members of a merchant may do with its rows; a verb that is missing is nobody's.
MEMBERS_WHO_MAY: dict[str, frozenset[str]] = {
    "view": frozenset(Member.values),
    "note": frozenset(Member.values),
    "acknowledge": PACKERS,
    "start_packing": PACKERS,
    "ship": PACKERS,
    "cancel": MANAGERS,  # it sends the order's money back as well
    "approve_cancel": MANAGERS,
    "decline_cancel": MANAGERS,
    "refund": MANAGERS | {Member.FINANCE},
    "adjust": MANAGERS,
    "set_tax_class": MANAGERS,
    "create": MANAGERS,  # a voucher, as what follows
    "amend": MANAGERS,
    "stop": MANAGERS,
    "resume": MANAGERS,
}


def member_may(member: MerchantMember, verb: str) -> bool:
    """True where the member's role allows that verb on the merchant's own rows.

    A merchant that may not sell still fulfils what it has sold; a closed one only looks.
    """
    if member.role not in MEMBERS_WHO_MAY.get(verb, frozenset()):
        return False
    return verb == "view" or member.merchant.state != Merchant.State.CLOSED


def sees_address(member: MerchantMember, *, is_open: bool) -> bool:
    """Who needs the buyer's address: managers always, packers while there is something to pack."""
    return member.role in MANAGERS or (is_open and member.role != Member.FINANCE)


def merchant_actor(*, merchant_id: int, user_id: int) -> Actor:
    """A member who acts for a merchant."""
    return Actor(Role.MERCHANT, f"{merchant_id}/user:{user_id}")


def merchant_id_of(actor: Actor) -> int | None:
    """The merchant that the actor acts for; None where it acts for none."""
    merchant_id = actor.name.partition("/")[0]
    return int(merchant_id) if actor.role is Role.MERCHANT and merchant_id.isdecimal() else None


def own(rows: QuerySet[M], *, actor: Actor, field: str = "merchant_id") -> QuerySet[M]:
    """Those rows that the actor may change: the platform all, a merchant its own, others none."""
    if actor.role in PLATFORM:
        return rows
    merchant_id = merchant_id_of(actor)
    return rows.none() if merchant_id is None else rows.filter(**{field: merchant_id})


def require_platform(actor: Actor) -> None:
    """Raises Denied unless the actor is the platform's staff or the system itself."""
    if actor.role not in PLATFORM:
        raise Denied("actor.not_platform", _("Only the platform's staff may do this."))
