"""What only the platform's console shows: people and merchants, and the kernel's machine room."""

from accounts.admin import kernel, people

__all__ = ["kernel", "people"]
