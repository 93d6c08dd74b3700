"""Orders in the two consoles: lists, the order's page, and what can be done there."""

from orders.admin import merchant, platform

__all__ = ["merchant", "platform"]
