"""The monitor's conditions of the kernel: events that do not get on, clocks that do not tick.

Both are judged by the machine's time: business time is moved on in a demo.
"""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from core import schedule
from core.errors import ProgrammingMistake
from core.monitor import MACHINE_TIME, Condition, Owner, watch_for

# A clock that ticks each second is no sooner missed than one of 15 s: the worker may be busy.
SHORTEST_INTERVAL_SECONDS = 15.0

# Streams that wait, and since when: the id of an event tells the machine's time. A notification about
# nothing that is known yet waits on purpose. LIMIT, for the planner takes a third of all streams to wait.
WAITING_STREAMS = """
    SELECT stream.id AS subject, stream.parked,
           CASE WHEN stream.aggregate_type = 'hook' AND stream.attempts = 0
                THEN greatest(told.at, stream.available_at) ELSE told.at END AS since
    FROM (SELECT * FROM core_outboxstream WHERE last_seq > delivered_seq AND NOT parked
          UNION ALL
          SELECT * FROM core_outboxstream WHERE parked) AS stream
    CROSS JOIN LATERAL (
        SELECT to_timestamp(('x' || substr(replace(event.id::text, '-', ''), 1, 12))::bit(48)::bigint
                            / 1000.0) AS at
        FROM core_outboxevent event
        WHERE event.shard_key = stream.shard_key AND event.stream_id = stream.id
          AND event.seq = stream.delivered_seq + 1 LIMIT 1) AS told
"""


def clocks() -> dict[str, Any]:
    """Names and intervals of all clocks. Raises ProgrammingMistake where nobody has told them."""
    if not schedule.intervals:
        raise ProgrammingMistake("config/celery.py was not read: no clock is known")
    seconds = [max(every, SHORTEST_INTERVAL_SECONDS) for every in schedule.intervals.values()]
    return {"names": list(schedule.intervals), "seconds": seconds}


watch_for(
    Condition(
        code="S12",
        name="outbox_lag",
        words=_("An event is not delivered"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(seconds=30),
        page_after=timedelta(seconds=120),
        sql=WAITING_STREAMS,
        clock=MACHINE_TIME,
        runbook="See that `manage.py relay` and the workers of the queue `external` run. `manage.py"
        " outbox list` names the streams that fail and their errors. A channel or mail server that is"
        " away needs only patience. A parked stream waits for you: mend the cause, then `manage.py"
        " outbox retry ID --reason …`; `skip` gives up its first event for good.",
    )
)
watch_for(
    Condition(
        code="S16",
        name="clock_silent",
        words=_("A clock does not tick"),
        owner=Owner.PLATFORM,
        # In intervals of the clock.
        warn_after=timedelta(seconds=2),
        page_after=timedelta(seconds=5),
        times="every_seconds",
        # What has never ticked is as late as can be told.
        sql="""
            SELECT clock.name AS subject, clock.every_seconds,
                   coalesce(heart.at, clock_timestamp() - clock.every_seconds * interval '6 s')
                   AS since
            FROM unnest(%(names)s::text[], %(seconds)s::float8[]) AS clock (name, every_seconds)
            LEFT JOIN core_heartbeat heart ON heart.name = clock.name
        """,
        parameters=clocks,
        clock=MACHINE_TIME,
        runbook="The job has not ended well for so many of its intervals. See that exactly one `celery"
        " beat` runs, that a worker takes the queue `clocks`, and what its log says of the job. Deadlines"
        " pass meanwhile, but none is lost: the next run takes up all that is due.",
    )
)
