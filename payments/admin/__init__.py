"""The money in the consoles."""

from payments.admin import differences

__all__ = ["differences"]
