"""Statements and payouts in the consoles."""

from payments.admin import payouts, statements

__all__ = ["payouts", "statements"]
