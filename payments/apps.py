from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from payments import audit, handlers, monitor  # noqa: F401 they register themselves
