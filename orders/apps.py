from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from orders import audit, handlers, mails, tasks  # noqa: F401 they register themselves
