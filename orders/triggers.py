"""Hints that a group is due now, set when its deadline is: who gets one asks the decider.

`EXPIRY_TRIGGERS` names them: none, `message` (the broker holds a task back until then) or `listener`
(a key in Redis runs out then, and `manage.py expiry_listener` hears of it). A hint that is lost, or
that an extension has overtaken, does no harm: the scan is always on.
"""

import logging
import math
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from core import clock
from core.ids import gene_of
from orders import states
from orders.models import OrderGroup
from orders.tasks import expire_group

if TYPE_CHECKING:
    import redis

logger = logging.getLogger(__name__)

KEY_BEGINS = "quayside:due:"
REDIS_SECONDS = 2


def arm(group_id: int) -> None:
    """Sets the hints for a group that waits for its money. One that can't be set is left out."""
    group = OrderGroup.objects.get(pk=group_id, shard_key=gene_of(group_id))
    if group.status != states.PENDING_PAYMENT:
        return
    left = max(group.pay_before - clock.now(), timedelta(0))
    for name in settings.EXPIRY_TRIGGERS:
        try:
            TRIGGERS[name](group_id, left)
        except Exception as error:  # noqa: BLE001 brokers and caches fail in their own ways
            logger.warning("no %s for the deadline of %s: %r", name, group_id, error)


def send_later(group_id: int, left: timedelta) -> None:
    """A task that the broker itself holds back: RabbitMQ by its delaying queues, pgmq by the row.

    Never by an ETA, which a worker would hold: it is lost with it, and fills what it reads ahead.
    """
    seconds = max(1, math.ceil(left.total_seconds()))  # a hint before the deadline would be in vain
    delay = {"DelaySeconds" if _broker_is("pgmq") else "countdown": seconds}
    expire_group.apply_async([group_id], retry=False, **delay)


def set_key(group_id: int, left: timedelta) -> None:
    """A key that runs out then, by the time that is left: Redis has a clock of its own."""
    milliseconds = max(1, math.ceil(left.total_seconds() * 1000))
    redis_client().set(f"{KEY_BEGINS}{group_id}", "", px=milliseconds)


TRIGGERS: dict[str, Callable[[int, timedelta], None]] = {
    "message": send_later,
    "listener": set_key,
}


@cache
def redis_client() -> "redis.Redis":
    """The Redis of CACHE_URL; one client per process."""
    import redis  # it loads for longer than all else here, and most shops have no such trigger

    return redis.Redis.from_url(
        settings.CACHES["default"]["LOCATION"], socket_connect_timeout=REDIS_SECONDS
    )


def group_of_key(key: str) -> int | None:
    """The group whose key that is; None for any other key."""
    number = key.removeprefix(KEY_BEGINS)
    return int(number) if key.startswith(KEY_BEGINS) and number.isdecimal() else None


def _broker_is(*names: str) -> bool:
    return str(settings.BROKER_URL).split(":", 1)[0] in names


@register("expiry")
def check_triggers(**_: Any) -> list[CheckMessage]:
    """What is named exists, and what it needs is there."""
    wanted = set(settings.EXPIRY_TRIGGERS)
    has_redis = settings.CACHES["default"]["BACKEND"].endswith("RedisCache")
    found = {
        "expiry.E001": (
            f"EXPIRY_TRIGGERS: there is no {', '.join(sorted(wanted - set(TRIGGERS)))}",
            wanted - set(TRIGGERS),
        ),
        "expiry.E002": (
            "EXPIRY_TRIGGERS has message, but Redis as a broker can't hold a message back",
            "message" in wanted and _broker_is("redis", "rediss"),
        ),
        "expiry.E003": (
            "EXPIRY_TRIGGERS has listener, but CACHE_URL is no Redis",
            "listener" in wanted and not has_redis,
        ),
    }
    return [Error(message, id=id_) for id_, (message, is_wrong) in found.items() if is_wrong]
