"""Customers at first need, merchants and who works for them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.locks import lock_merchant
from accounts.models import Customer, Merchant, MerchantMember, User
from accounts.permissions import require_platform
from accounts.rows import insert, valid
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from core.outbox import Fact, emit

MOST_TO_IMPORT = 1000
SLUG_TAKEN = _("Another merchant has this name in its address.")

State = Merchant.State
Role = MerchantMember.Role


def customer_for_email(*, email: str, name: str = "", accepts_mail: bool = True) -> Customer:
    """The customer of that address, made where there is none; runs in any transaction or none.

    The name and the wish for mail are those of a new customer only. Raises Invalid
    `customer.invalid`.
    """
    new = valid(Customer(email=email.strip().lower(), name=name, accepts_mail=accepts_mail))
    fields = {"name": new.name, "accepts_mail": new.accepts_mail}
    return Customer.objects.get_or_create(email=new.email, defaults=fields)[0]


@command
def customers_import(*, emails: Sequence[str], actor: Actor) -> dict[str, Customer]:
    """Customers of these addresses, who get no mail; those that exist stay as they are.

    Raises Denied, Invalid `customer.invalid`.
    """
    require_platform(actor)
    return {email: customer_for_email(email=email, accepts_mail=False) for email in emails}


def customer_for_user(*, user: User) -> Customer:
    """The user's customer; at first need the one of the user's address. Runs in any transaction.

    Raises Conflict `customer.address_taken` where that customer is another user's.
    """
    customer = Customer.objects.filter(user=user).first()
    if customer:
        return customer
    customer = customer_for_email(email=user.email, name=user.name)
    Customer.objects.filter(pk=customer.pk, user=None).update(user=user)
    customer.refresh_from_db(fields=["user"])
    if customer.user_id != user.pk:
        raise Conflict(
            "customer.address_taken", _("Another login has ordered with this e-mail address.")
        )
    return customer


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMerchant:
    """What a merchant starts with; the fields are those of the model."""

    name: str
    slug: str
    currency: str
    country: str
    commission_basis_points: int
    return_window_days: int = 14
    pay_within_minutes: int | None = None
    cancel_answer_hours: int = 4
    time_zone: str = "UTC"
    payout_schedule: str = Merchant.PayoutSchedule.WEEKLY
    prices_include_tax: bool = True
    commission_tax_ppm: int = 0


@command
def merchant_create(*, merchant: NewMerchant, actor: Actor) -> Merchant:
    """A merchant in onboarding. Emits merchant.created.

    Raises Denied, Invalid `merchant.invalid`, Conflict `merchant.slug_taken`.
    """
    require_platform(actor)
    row = valid(Merchant(**asdict(merchant)))
    insert([row], code="merchant.slug_taken", taken=SLUG_TAKEN)
    emit([_fact(row, "merchant.created", actor)])
    return row


@command
def merchants_import(*, merchants: Sequence[NewMerchant], actor: Actor) -> list[Merchant]:
    """Active merchants for these slugs, in the order given; those that exist stay as they are.

    At most 1,000 at once. Emits merchant.created and merchant.activated for each new one. Raises
    Denied, Invalid `merchant.invalid` and `merchant.too_many`, Conflict `merchant.slug_taken`.
    """
    require_platform(actor)
    if len(merchants) > MOST_TO_IMPORT:
        raise Invalid("merchant.too_many", _("These are too many at once."), most=MOST_TO_IMPORT)
    slugs = [merchant.slug for merchant in merchants]
    known = {row.slug: row for row in Merchant.objects.filter(slug__in=slugs)}
    new = [
        valid(Merchant(**asdict(merchant), state=State.ACTIVE))
        for merchant in merchants
        if merchant.slug not in known
    ]
    insert(new, code="merchant.slug_taken", taken=SLUG_TAKEN)
    types = ("merchant.created", "merchant.activated")
    emit([_fact(row, event_type, actor) for row in new for event_type in types])
    known |= {row.slug: row for row in new}
    return [known[slug] for slug in slugs]


@command
def merchant_activate(*, merchant_id: int, actor: Actor, reason: str = "") -> Merchant:
    """Lets a merchant sell; quiet where it may. Locks the merchant. Emits merchant.activated.

    Raises Denied, NotFound `merchant.unknown`, Conflict `merchant.state` for a closed one.
    """
    before = {State.ONBOARDING, State.SUSPENDED}
    return _change_state(merchant_id, before, State.ACTIVE, "merchant.activated", actor, reason)


@command
def merchant_suspend(*, merchant_id: int, actor: Actor, reason: str = "") -> Merchant:
    """Stops new sales of a merchant; quiet where they are. Locks the merchant.

    What is sold already goes on. Emits merchant.suspended. Raises Denied, NotFound
    `merchant.unknown`, Conflict `merchant.state` unless it is active.
    """
    before = {State.ACTIVE}
    return _change_state(merchant_id, before, State.SUSPENDED, "merchant.suspended", actor, reason)


@command
def merchant_tax_set(
    *,
    merchant_id: int,
    prices_include_tax: bool,
    commission_tax_ppm: int,
    actor: Actor,
    reason: str = "",
) -> Merchant:
    """Says whether a merchant's prices include tax, and the tax on its commission.

    What is placed keeps what was frozen with it. Locks the merchant. Emits merchant.tax_set. Raises
    Denied, NotFound `merchant.unknown`, Invalid `merchant.invalid`.
    """
    require_platform(actor)
    merchant = lock_merchant(merchant_id, actor=actor)
    fields: dict[str, Any] = {
        "prices_include_tax": prices_include_tax,
        "commission_tax_ppm": commission_tax_ppm,
    }
    for name, value in fields.items():
        setattr(merchant, name, value)
    valid(merchant)
    Merchant.objects.filter(pk=merchant.pk).update(**fields)
    emit([_fact(merchant, "merchant.tax_set", actor, reason=reason, **fields)])
    return merchant


def _change_state(
    merchant_id: int,
    before: set[State],
    after: State,
    event_type: str,
    actor: Actor,
    reason: str,
) -> Merchant:
    require_platform(actor)
    merchant = lock_merchant(merchant_id, actor=actor)
    if merchant.state == after:
        return merchant
    if merchant.state not in before:
        raise Conflict(
            "merchant.state",
            _("This is not possible in the merchant's present state."),
            id=str(merchant.pk),
            state=merchant.state,
        )
    Merchant.objects.filter(pk=merchant.pk).update(state=after)
    merchant.state = after
    emit([_fact(merchant, event_type, actor, reason=reason)])
    return merchant


@command
def member_add(*, merchant_id: int, user_id: int, role: Role, actor: Actor) -> MerchantMember:
    """Lets a user work for a merchant; quiet where that role is held. Locks the merchant.

    Emits member.added. Raises NotFound `merchant.unknown` and `user.unknown`, Invalid
    `merchantmember.invalid`, Conflict `member.has_role` where the user holds another role.
    """
    merchant = lock_merchant(merchant_id, actor=actor)
    if not User.objects.filter(pk=user_id).exists():
        raise NotFound("user.unknown", _("There is no such user."), id=str(user_id))
    member = merchant.members.filter(user_id=user_id).first()
    if member is None:
        member = valid(MerchantMember(merchant=merchant, user_id=user_id, role=role))
        member.save(force_insert=True)
        emit([_member_fact(member, "member.added", actor)])
    elif member.role != role:
        raise Conflict(
            "member.has_role", _("This user works here in another role."), role=member.role
        )
    return member


@command
def member_remove(*, merchant_id: int, user_id: int, actor: Actor) -> None:
    """Ends a user's work for a merchant; quiet where there is none. Locks the merchant.

    Emits member.removed. Raises NotFound `merchant.unknown`, Conflict `member.last_owner`.
    """
    merchant = lock_merchant(merchant_id, actor=actor)
    member = merchant.members.filter(user_id=user_id).first()
    if member is None:
        return
    others = merchant.members.exclude(pk=member.pk)
    if member.role == Role.OWNER and not others.filter(role=Role.OWNER).exists():
        raise Conflict("member.last_owner", _("A merchant keeps at least one owner."))
    emit([_member_fact(member, "member.removed", actor)])
    member.delete()


def _member_fact(member: MerchantMember, event_type: str, actor: Actor) -> Fact:
    payload = {"user_id": str(member.user_id), "role": member.role}
    return _fact(member.merchant, event_type, actor, **payload)


def _fact(merchant: Merchant, event_type: str, actor: Actor, **payload: Any) -> Fact:
    return Fact(
        stream=("merchant", merchant.pk),
        shard_key=merchant.shard_key,
        type=event_type,
        object_id=merchant.pk,
        payload={"merchant_id": str(merchant.pk), "actor": str(actor), **payload},
    )
