"""Invariants of the kernel: histories of all machines, and the outbox with its consumers.

Imported when all models are loaded.
"""

from django.apps import apps
from django.db.models import DateTimeField

from core.audit import invariant
from core.fsm import Stateful


def _each_noun(select: str) -> str:
    """The same SELECT over every table with a machine: {table} and {noun} are filled in."""
    models = [model for model in apps.get_models() if issubclass(model, Stateful)]
    return " UNION ALL ".join(
        select.format(table=model._meta.db_table, noun=model.machine.noun) for model in models
    )


def _each_told_field(select: str) -> str:
    """The same SELECT over every field that a machine's steps tell: {name} and {is_moment} too."""
    return " UNION ALL ".join(
        select.format(
            table=model._meta.db_table,
            noun=model.machine.noun,
            name=name,
            is_moment=isinstance(model._meta.get_field(name), DateTimeField),
        )
        for model in apps.get_models()
        if issubclass(model, Stateful)
        for name in model.told
    )


invariant(
    "I17",
    "inv_17_history",
    "every step is an allowed edge, no step is missing, the last one is the present state",
    """
    WITH history AS (
        SELECT noun, object_id, seq, from_state, to_state,
               lag(to_state, 1, '') OVER steps AS reached, lag(seq, 1, 0) OVER steps AS before,
               lead(seq) OVER steps AS next
        FROM core_statechange WINDOW steps AS (PARTITION BY noun, object_id ORDER BY seq))
    SELECT noun, object_id, seq, 'edge not allowed' AS why
    FROM core_statechange step
    WHERE NOT EXISTS (
        SELECT FROM core_stateedge edge
        WHERE edge.noun = step.noun AND edge.verb = step.verb
          AND edge.from_state = step.from_state AND edge.to_state = step.to_state)
    UNION ALL
    SELECT noun, object_id, seq, 'chain broken'
    FROM history WHERE reached <> from_state OR before <> seq - 1
    UNION ALL
    SELECT stateful.noun, stateful.id, stateful.version, 'head differs'
    FROM ("""
    + _each_noun("SELECT '{noun}' AS noun, id, status, version FROM {table}")
    + """) AS stateful
    LEFT JOIN history head
         ON head.noun = stateful.noun AND head.object_id = stateful.id AND head.next IS NULL
    WHERE head.to_state IS DISTINCT FROM stateful.status
       OR head.seq IS DISTINCT FROM stateful.version
    """,
)
# Moments are kept as text, so they are compared as moments.
invariant(
    "I17b",
    "inv_17b_told_fields",
    "what the last step said of each told field is what the row has",
    """
    WITH last AS (
        SELECT DISTINCT ON (noun, object_id, field.key) noun, object_id, field.key AS name,
               field.value -> 1 AS kept
        FROM core_statechange step CROSS JOIN jsonb_each(step.changes) AS field
        ORDER BY noun, object_id, field.key, seq DESC)
    SELECT stored.noun, stored.id, stored.name, last.kept, stored.value
    FROM ("""
    + _each_told_field(
        """SELECT '{noun}' AS noun, id, '{name}' AS name, {is_moment} AS is_moment,
                  coalesce(to_jsonb({name}), 'null') AS value
           FROM {table}"""
    )
    + """) AS stored
    LEFT JOIN last ON last.noun = stored.noun AND last.object_id = stored.id
         AND last.name = stored.name
    WHERE last.kept IS NULL
       OR CASE WHEN stored.is_moment
               THEN (last.kept #>> '{}')::timestamptz IS DISTINCT FROM
                    (stored.value #>> '{}')::timestamptz
               ELSE last.kept <> stored.value END
    """,
)
invariant(
    "I18",
    "inv_18_dead_end_state",
    "every state reaches one where a row may rest",
    """
    WITH RECURSIVE alive (noun, state) AS (
        SELECT noun, state FROM core_staterule WHERE may_rest
        UNION
        SELECT edge.noun, edge.from_state
        FROM core_stateedge edge JOIN alive ON alive.noun = edge.noun
             AND alive.state = edge.to_state)
    SELECT noun, state FROM core_staterule
    EXCEPT SELECT noun, state FROM alive
    """,
)
invariant(
    "I19",
    "inv_19_stuck",
    "nothing stays longer in a state than that state allows",
    _each_noun(
        """SELECT '{noun}' AS noun, stateful.id, stateful.status,
               (SELECT business_now()) - stateful.status_changed_at AS age
        FROM {table} stateful
        JOIN core_staterule rule ON rule.noun = '{noun}' AND rule.state = stateful.status
        WHERE NOT rule.may_rest
          AND stateful.status_changed_at < (SELECT business_now()) - rule.longest_age"""
    ),
)
invariant(
    "I21",
    "inv_21_outbox_undelivered",
    "every event is delivered or young; no stream is parked",
    """
    SELECT event.id, event.type, stream.attempts, stream.parked, stream.last_error
    FROM core_outboxstream stream JOIN core_outboxevent event ON event.stream_id = stream.id
    WHERE stream.last_seq > stream.delivered_seq AND event.seq > stream.delivered_seq
      AND (stream.parked OR (stream.aggregate_type <> 'hook'
           AND event.created_at < (SELECT business_now()) - audit_grace()))
    """,
)
invariant(
    "I22",
    "inv_22_effect_missing",
    "each delivered event had its effect in each of its consumers, or a person skipped it",
    """
    SELECT event.id, event.type, route.consumer
    FROM core_outboxevent event
    JOIN core_outboxstream stream ON stream.id = event.stream_id
    JOIN core_outboxroute route ON route.type = event.type
    LEFT JOIN core_inboxeffect effect ON effect.shard_key = event.shard_key
         AND effect.consumer = route.consumer AND effect.event_id = event.id
    WHERE NOT stream.external AND event.seq <= stream.delivered_seq
      AND event.created_at >= route.since AND effect.event_id IS NULL
      AND NOT EXISTS (SELECT FROM core_outboxintervention skipped
                      WHERE skipped.event_id = event.id AND skipped.action = 'skip')
    """,
)
invariant(
    "I23",
    "inv_23_effect_order",
    "each consumer saw the events of a stream in their order",
    """
    SELECT consumer, stream_id, seq
    FROM (SELECT consumer, stream_id, seq, max(seq) OVER (
              PARTITION BY consumer, stream_id ORDER BY applied_at, seq
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
          FROM core_inboxeffect) AS effect
    WHERE before > seq
    """,
)
invariant(
    "I24",
    "inv_24_outbox_gap",
    "the sequence of a stream has no gap and ends where the stream says",
    """
    SELECT stream.id, stream.last_seq, count(event.id) AS events, max(event.seq) AS last_event
    FROM core_outboxstream stream LEFT JOIN core_outboxevent event
         ON event.stream_id = stream.id
    GROUP BY stream.id
    HAVING (count(event.id) = 0 AND stream.last_seq <> stream.delivered_seq)
        OR count(event.id) <> coalesce(max(event.seq) - min(event.seq) + 1, 0)
        OR (count(event.id) > 0 AND max(event.seq) <> stream.last_seq)
        OR min(event.seq) > stream.delivered_seq + 1
    """,
)
invariant(
    "I25",
    "inv_25_event_without_outbox",
    "every step that is told has its event",
    """
    SELECT step.noun, step.object_id, step.seq
    FROM core_statechange step
    JOIN core_stateedge edge ON edge.noun = step.noun AND edge.verb = step.verb
         AND edge.from_state = step.from_state AND edge.emits
    LEFT JOIN core_outboxevent event ON event.id = step.event_id
    WHERE event.id IS NULL
    """,
)
