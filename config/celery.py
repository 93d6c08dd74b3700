"""The Celery application, and the whole beat schedule: every clock of the system in one list."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import task_success, worker_process_shutdown
from django.conf import settings
from kombu.entity import Exchange, Queue
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from core import ids, schedule
from core.origin import coming_from

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

HARD_LIMIT_SECONDS = 20
# A task that died with its worker comes back after this; a running one must have ended before.
VISIBILITY_TIMEOUT_SECONDS = 3 * HARD_LIMIT_SECONDS
# What tasks do, what talks to the outside, mails, and the clocks. None waits behind another: a
# thousand mails of a rush must not hold up a payment.
QUEUES = ("default", "external", "patient", "clocks")

PGMQ_FIELDS = {"host": "localhost", "port": "5432", "dbname": "", "user": "", "password": ""}

# The first that fits decides.
ROUTES = {
    "core.tasks.deliver_external_stream": {"queue": "external"},
    "payments.tasks.ask_after_*": {"queue": "external"},
    "payments.tasks.send_*": {"queue": "external"},
    "payments.tasks.reconcile_channel": {"queue": "external"},
    "payments.tasks.close_day": {"queue": "external"},
    # A hint for each unpaid group: thousands at once, after a rush.
    "orders.tasks.expire_group": {"queue": "default"},
    "*.tasks.*": {"queue": "clocks"},
}

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # The round trip beat → broker → worker → database that /readyz asks for.
    "heartbeat": {"task": "core.tasks.heartbeat", "schedule": 2.0},
    "drain-outbox": {"task": "core.tasks.drain_outbox", "schedule": 1.0},
    "expire-due-groups": {"task": "orders.tasks.expire_due_groups", "schedule": 5.0},
    "deliver-due-orders": {"task": "orders.tasks.deliver_due_orders", "schedule": 60.0},
    "complete-due-orders": {"task": "orders.tasks.complete_due_orders", "schedule": 60.0},
    "approve-due-requests": {"task": "orders.tasks.approve_due_requests", "schedule": 60.0},
    "close-due-statements": {"task": "payments.tasks.close_due_statements", "schedule": 300.0},
    # Attempts, captures, refunds and payouts whose outcome nobody has told for two minutes.
    "ask-channels": {"task": "payments.tasks.ask_channels", "schedule": 30.0},
    # Promised money that a channel would not give an hour ago.
    "retry-captures": {"task": "payments.tasks.retry_captures", "schedule": 300.0},
    # Each channel's list is due hourly, each of its days once it is over; what failed is due again.
    "reconcile": {"task": "payments.tasks.reconcile_due", "schedule": 300.0},
    # The monitor, last: what the others have left undone.
    "watch": {"task": "core.tasks.watch", "schedule": 30.0},
    "watch-books": {"task": "core.tasks.watch_books", "schedule": 300.0},
}
CLOCK_OF_TASK = {entry["task"]: name for name, entry in BEAT_SCHEDULE.items()}
schedule.expect(BEAT_SCHEDULE)


def broker_options(url: str, database_url: str) -> dict[str, Any]:
    """What Kombu's transport of this scheme needs so that a killed worker loses nothing."""
    match url.split(":", 1)[0]:
        case "pgmq":
            return {
                "conn_string": pgmq_conninfo(database_url),
                "init_extension": False,
                "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
                # Waiting in the server would hold up the other queues, one after the other.
                "wait_time_seconds": 0,
                "polling_interval": 0.2,
                "pool_timeout": 5,
            }
        case "redis" | "rediss":
            # Without these two the sweep for lost messages comes up to 100 s late.
            return {
                "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
                "unacked_restore_interval": 2,
                "unacked_restore_throttle": 1,
            }
        case "amqp" | "amqps" | "pyamqp":
            return {"confirm_publish": True}
        case other:
            raise ValueError(f"no broker for {other}: pgmq, redis or amqp")


def pgmq_conninfo(database: str) -> str:
    """The connection string as pgmq's client takes it without loss.

    It keeps five fields of what it is given and joins them unquoted, so each goes in quoted, and
    all others (sslmode and the like) ride behind the last.
    """
    given = conninfo_to_dict(database)
    fields = {
        name: quoted(str(given.pop(name, "") or default)) for name, default in PGMQ_FIELDS.items()
    }
    fields["password"] = f"{fields['password']} {make_conninfo('', **given)}"
    return make_conninfo("", **fields)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def queues(url: str) -> list[Queue]:
    """On RabbitMQ quorum queues: they survive a node, and hold delayed messages themselves."""
    if url.startswith(("amqp", "pyamqp")):
        kind, arguments = "topic", {"x-queue-type": "quorum"}
    else:
        kind, arguments = "direct", {}
    return [
        Queue(name, Exchange(name, type=kind), name, queue_arguments=arguments) for name in QUEUES
    ]


class NamedTask(Task):  # type: ignore[misc]
    """A task that says where its work comes from."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with coming_from("task", self.request.id or ""):
            return self.run(*args, **kwargs)


app = Celery("quayside", task_cls=NamedTask)
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_transport_options=broker_options(settings.BROKER_URL, settings.DATABASE_URL),
    broker_connection_retry_on_startup=True,
    task_queues=queues(settings.BROKER_URL),
    task_default_queue="default",
    task_default_exchange="default",
    task_default_routing_key="default",
    task_create_missing_queues=False,
    task_routes=ROUTES,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_time_limit=HARD_LIMIT_SECONDS,
    task_soft_time_limit=HARD_LIMIT_SECONDS - 5,
    task_serializer="json",
    accept_content=["json"],
    # pgmq answers each read in a round trip of its own, so it reads ahead; the others push.
    worker_prefetch_multiplier=16 if settings.BROKER_URL.startswith("pgmq") else 1,
    worker_enable_remote_control=False,
    # On pgmq the pool's processes share one pipe: who is ended while writing to it would leave it
    # locked, and the worker idle, for ever. There a task runs on, perhaps twice, which is no harm.
    worker_cancel_long_running_tasks_on_connection_loss=not settings.BROKER_URL.startswith("pgmq"),
    worker_detect_quorum_queues=True,
    worker_hijack_root_logger=False,
    beat_schedule=BEAT_SCHEDULE,
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    timezone="UTC",
    enable_utc=True,
)
app.autodiscover_tasks()


@task_success.connect  # type: ignore[untyped-decorator]
def prove_progress(sender: Any, **_: Any) -> None:
    """The heartbeat of each clock, written when its task has gone through."""
    if name := CLOCK_OF_TASK.get(sender.name):
        from core.heartbeats import beat  # there are no models yet when this module is read

        beat(name=name)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def give_back_node_number(**_: Any) -> None:
    """A pool's process ends without running its exit handlers."""
    ids.release()
