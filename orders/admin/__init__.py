"""Orders in the two consoles: lists, the order's page, and what can be done there."""

from orders.admin import merchant, platform, voucher_new, vouchers

__all__ = ["merchant", "platform", "voucher_new", "vouchers"]
