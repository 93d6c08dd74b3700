from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from payments import (  # noqa: F401 they register themselves
            audit,
            audit_bank,
            audit_split,
            handlers,
            monitor,
            settlement_audit,
        )
