"""`manage.py expiry_listener`: hears when the key of a deadline runs out, and asks for the expiry."""

import signal
import time
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from orders.tasks import ask_for_expiry
from orders.triggers import group_of_key, redis_client

SETTING = "notify-keyspace-events"
NEEDED = "Ex"  # events by their name, for keys that ran out
LISTEN_SECONDS = 1.0
PAUSE_AFTER_LOSS_SECONDS = 0.5


class Command(BaseCommand):
    """Two of them ask twice, which is no harm; what none of them hears the scan finds."""

    help = "Listens to Redis for deadlines that are over (EXPIRY_TRIGGERS=listener)."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        while not self.stopping:
            try:
                self.listen(redis_client())
            except (redis.ConnectionError, redis.TimeoutError) as error:
                self.stderr.write(f"Redis away, trying again: {error}")
                time.sleep(PAUSE_AFTER_LOSS_SECONDS)

    def listen(self, client: "redis.Redis") -> None:
        """Until it is told to stop, or the connection is lost."""
        switch_on(client)
        with client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.psubscribe("__keyevent@*__:expired")
            while not self.stopping:
                message = channel.get_message(timeout=LISTEN_SECONDS)
                group_id = group_of(message["data"]) if message else None
                if group_id is not None:
                    ask_for_expiry(group_id)

    def stop(self, number: int, frame: object) -> None:
        """Ends within a second."""
        self.stopping = True


def group_of(key: bytes) -> int | None:
    """The group whose key ran out; others keep their keys in the same Redis, in any bytes."""
    return group_of_key(key.decode(errors="replace"))


def switch_on(client: "redis.Redis") -> None:
    """Has Redis tell of keys that run out, where it does not yet. Raises CommandError."""
    try:
        told = client.config_get(SETTING)[SETTING] or ""
        missing = [letter for letter in NEEDED if letter not in told.replace("A", "x")]
        if missing:
            client.config_set(SETTING, told + "".join(missing))
    except redis.ResponseError as error:
        raise CommandError(
            f"This Redis lets nobody change its settings ({error})."
            f' Set {SETTING} "{NEEDED}" there, or take listener out of EXPIRY_TRIGGERS.'
        ) from error
