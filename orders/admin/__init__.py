"""Orders in the two consoles: lists, the order's page, and what can be done there."""

from orders.admin import bank, merchant, platform, transfers, voucher_new, vouchers

__all__ = ["bank", "merchant", "platform", "transfers", "voucher_new", "vouchers"]
