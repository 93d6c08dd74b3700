from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        """Registers the consumers of events."""
        from delivery import handlers  # noqa: F401
