"""The money in the consoles."""

from payments.admin import differences, payouts, statements

__all__ = ["differences", "payouts", "statements"]
