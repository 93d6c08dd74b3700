"""Faults of vouchers and of the groups that carry them."""

from orders.models import Order, OrderGroup
from tests.audit.plant import fault, release, step

USE = "UPDATE orders_voucheruse SET {} WHERE group_id = {{discounted}}"

VOUCHERS = {
    "inv_q05_voucher_uses": [
        fault(
            "Q05 a use that nobody counted",
            "UPDATE orders_voucher SET used_count = used_count - 1",
        ),
        fault("Q05b a counter of nothing", "UPDATE orders_voucher SET used_count = 2"),
        fault(
            "Q05c more uses than there may be",
            "ALTER TABLE orders_voucher DROP CONSTRAINT orders_voucher_used_bounds,"
            " DROP CONSTRAINT orders_voucher_limits",
            "UPDATE orders_voucher SET total_limit = 0",
        ),
        fault(
            "Q05d a customer who uses it twice",
            "UPDATE orders_voucher SET used_count = 2",
            """
            UPDATE orders_voucheruse
            SET given_back_at = NULL, customer_id = (
                SELECT customer_id FROM orders_voucheruse WHERE group_id = {discounted})
            """,
            also="Q06",
        ),
        fault("Q05e a use of no voucher", USE.format("voucher_id = -1")),
    ],
    "inv_q06_voucher_of_group": [
        fault("Q06 a discount that no voucher gave", "DELETE FROM orders_voucheruse", also="Q05"),
        fault("Q06b a use of more than was taken off", USE.format("discount_minor = 1")),
        fault("Q06c a use of somebody else", USE.format("customer_id = -1")),
        fault(
            "Q06d a live group that has given its voucher back",
            USE.format("given_back_at = business_now()"),
            "UPDATE orders_voucher SET used_count = 0",
        ),
        fault(
            "Q06e a dead group that keeps its voucher",
            step(OrderGroup, "cancel", "discounted"),
            step(Order, "cancel", "discounted_order2"),
            release("discounted_order2"),
            also="Q04",
        ),
    ],
}
