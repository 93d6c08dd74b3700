"""Who does something. Every service takes an actor; every state change remembers it."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The parties that can move an order on."""

    BUYER = "buyer"
    MERCHANT = "merchant"
    STAFF = "staff"
    CHANNEL = "channel"
    CARRIER = "carrier"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A role and who fills it: `buyer:42`, `merchant:7/user:12`, `system:expiry`."""

    role: Role
    name: str = ""

    def __str__(self) -> str:
        return f"{self.role}:{self.name}" if self.name else str(self.role)


def system(name: str) -> Actor:
    """The actor for a clock or a handler that nobody pressed."""
    return Actor(Role.SYSTEM, name)
