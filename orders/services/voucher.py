"""Vouchers: entered into a cart, used by a group and given back by it.

`voucher_take` ↔ `vouchers_give_back` ↔ `voucher_take_again` move the counter and the group's use
together, as parts of the services that place, end and reinstate groups.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F, Q

from accounts.actors import Actor
from accounts.models import Customer
from core import clock
from core.command import command
from core.errors import Conflict, DomainError, Invalid, ProgrammingMistake
from core.locks import require_locked
from core.write import Write
from orders.locks import lock_open_cart, lock_voucher, lock_vouchers_of
from orders.models import Cart, CartLine, OrderGroup, Voucher, VoucherUse
from orders.selectors.basket import basket_lines
from orders.selectors.voucher import (
    FIELD,
    goods_of,
    limit_problem,
    shopper_of,
    uses_of,
    voucher_of_code,
    voucher_problem,
)
from orders.sentences import Problem, refuse

# Beside the lock, and the table's own constraint behind it.
ONE_LEFT = Q(total_limit=None) | Q(used_count__lt=F("total_limit"))

# The groups hold their uses, `lock_vouchers_of` the vouchers; whatever their number it is one
# statement, for a deadline ends a thousand groups at once.
GIVE_BACK = """
    WITH back AS (
        UPDATE orders_voucheruse SET given_back_at = %s
        WHERE group_id = ANY(%s) AND shard_key = ANY(%s) AND given_back_at IS NULL
        RETURNING voucher_id
    ), given AS (
        SELECT voucher_id AS id, count(*) AS uses FROM back GROUP BY voucher_id
    ), moved AS (
        UPDATE orders_voucher AS voucher SET used_count = voucher.used_count - given.uses
        FROM given WHERE voucher.id = given.id AND voucher.used_count >= given.uses
        RETURNING voucher.id
    )
    SELECT id FROM given EXCEPT SELECT id FROM moved
"""


@command
def cart_voucher_set(*, cart_id: int, code: str, actor: Actor) -> Cart:
    """Enters a code into the cart, in the place of the one before it; quiet where it is there.

    It is a promise of nothing: placing decides. Locks the cart. Raises NotFound `cart.unknown`,
    Conflict `cart.placed`, Invalid `voucher.unknown`, Conflict with the codes of
    `orders.selectors.voucher` where it does not hold for what is in the cart now.
    """
    cart = lock_open_cart(cart_id)
    voucher = voucher_of_code(code)
    if voucher is None:
        raise _refusal(Problem("voucher.unknown", FIELD), Invalid)
    goods = goods_of(basket_lines(cart), cart.currency)
    if problem := voucher_problem(voucher, goods, uses_of(voucher, shopper_of(cart))):
        raise _refusal(problem)
    Cart.objects.filter(pk=cart.pk).update(voucher=voucher)
    cart.voucher = voucher
    return cart


@command
def cart_voucher_remove(*, cart_id: int, actor: Actor) -> Cart:
    """Takes the code out of the cart; quiet where there is none.

    Locks the cart. Raises NotFound `cart.unknown`, Conflict `cart.placed`.
    """
    cart = lock_open_cart(cart_id)
    Cart.objects.filter(pk=cart.pk).update(voucher=None)
    cart.voucher = None
    return cart


def voucher_require(*, cart: Cart, customer: Customer, lines: Sequence[CartLine]) -> Voucher | None:
    """The voucher that a locked cart carries, locked, where it holds; None where it carries none.

    Part of a service. Locks the voucher. Raises Conflict as `cart_voucher_set`.
    """
    if cart.voucher_id is None:
        return None
    voucher = lock_voucher(cart.voucher_id)
    goods, uses = goods_of(lines, cart.currency), uses_of(voucher, customer)
    if problem := voucher_problem(voucher, goods, uses):
        raise _refusal(problem)
    return voucher


def voucher_take(*, voucher: Voucher, group: OrderGroup, at: datetime, write: Write) -> None:
    """Uses a locked voucher for a group that is being placed, for the discount that it has.

    Part of a service; the use is only added to the statement. What takes nothing off is not used.
    Raises Conflict `voucher.used_up`.
    """
    require_locked(voucher)
    if not group.discount_minor:
        return
    if not _count_one(voucher):
        raise _refusal(Problem("voucher.used_up", FIELD))
    use = VoucherUse.build(
        group.shard_key,
        group=group,
        voucher=voucher,
        customer_id=group.customer_id,
        discount_minor=group.discount_minor,
        taken_at=at,
    )
    write.insert(use)


def vouchers_give_back(groups: Collection[OrderGroup]) -> None:
    """Gives back what these locked groups use, by one statement; quiet where they use none.

    Part of a service, after `lock_vouchers_of()` these groups.
    """
    given = [group for group in groups if group.discount_minor]
    if not given:
        return
    for group in given:
        require_locked(group)
    ids = [group.id for group in given]
    shard_keys = list({group.shard_key for group in given})
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, [clock.now(), ids, shard_keys])
        if stuck := cursor.fetchall():
            raise ProgrammingMistake(f"vouchers {stuck} do not count the uses that they have")


def voucher_take_again(group: OrderGroup) -> bool:
    """Uses once more what a locked group gave back; False where others have used it up meanwhile.

    Only its limits are asked: it was placed in time, so it counts neither that the voucher has
    ended since nor that it was stopped. Part of a service. Locks the voucher.
    """
    require_locked(group)
    for voucher in lock_vouchers_of([group]):
        own_uses = uses_of(voucher, group.customer).count
        if limit_problem(voucher, own_uses) or not _count_one(voucher):
            return False
        given_back = VoucherUse.objects.filter(
            group=group, shard_key=group.shard_key, given_back_at__isnull=False
        )
        if not given_back.update(given_back_at=None):
            raise ProgrammingMistake(f"{group} has not given {voucher} back")
    return True


def _count_one(voucher: Voucher) -> bool:
    return bool(
        Voucher.objects.filter(ONE_LEFT, pk=voucher.pk).update(used_count=F("used_count") + 1)
    )


def _refusal(problem: Problem, kind: type[DomainError] = Conflict) -> DomainError:
    return refuse(kind, problem.code, problem.message, [problem])
