from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from payments import (  # noqa: F401 they register themselves
            audit,
            handlers,
            monitor,
            settlement_audit,
        )
