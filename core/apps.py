from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import alarms, checks, conditions, invariants  # noqa: F401 they register themselves
