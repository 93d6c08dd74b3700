from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        from orders import (  # noqa: F401 they register themselves
            audit,
            handlers,
            mails,
            monitor,
            tasks,
        )
