from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"

    def ready(self) -> None:
        """Registers the audit views."""
        from inventory import audit  # noqa: F401
