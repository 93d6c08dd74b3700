"""The machine room: streams of the outbox that stand still, and what came in from outside.

Here and not in `core`, which knows no console.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.admin import register
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor
from accounts.consoles import (
    Act,
    ChoiceFilter,
    Figure,
    Menu,
    PlatformModelAdmin,
    ReasonForm,
    platform_site,
)
from core import monitor
from core.ids import gene, gene_of
from core.intervene import stream_retry, stream_skip
from core.models import Alarm, Hook, OutboxStream

MOST_COUNTED = 1000
NOT_UNDERSTOOD = (Hook.State.REVIEW, Hook.State.UNMATCHED)
LAGGING = Q(parked=False, last_seq__gt=F("delivered_seq"))  # the condition of an index


class Retry(Act):
    verb = "retry"
    title = gettext_lazy("Try again")
    form_class = ReasonForm

    def is_legal(self, row: OutboxStream) -> bool:
        return row.delivered_seq < row.last_seq

    def preview(self, row: OutboxStream) -> list[str]:
        return [
            _("Event %(number)s of %(all)s is delivered again at once.")
            % {"number": row.delivered_seq + 1, "all": row.last_seq},
            row.last_error,
        ]

    def do(self, row: OutboxStream, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        stream_retry(stream_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The stream goes on.")


class Skip(Act):
    verb = "skip"
    title = gettext_lazy("Skip the event")
    form_class = ReasonForm
    is_grave = True

    def is_legal(self, row: OutboxStream) -> bool:
        return row.parked

    def stamp(self, row: OutboxStream) -> str:
        return str(row.delivered_seq)

    def current(self, row: OutboxStream) -> OutboxStream:
        """Not locked: `stream_skip` goes on only where the stream still stands."""
        return OutboxStream.objects.get(pk=row.pk)

    def preview(self, row: OutboxStream) -> list[str]:
        event = row.events.get(seq=row.delivered_seq + 1) if self.is_legal(row) else None
        return [
            _("Consumers that have not taken this event never will: %(event)s") % {"event": event},
            row.last_error,
        ]

    def do(self, row: OutboxStream, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        stream_skip(stream_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The event is given up; the stream goes on behind it.")


class StreamFilter(ChoiceFilter):
    """Parked: given up after 12 failures. Lagging: something waits to be delivered."""

    title = gettext_lazy("what is wrong")
    parameter_name = "standing"
    options: ClassVar = [
        ("parked", gettext_lazy("parked")),
        ("failing", gettext_lazy("failing")),
        ("lagging", gettext_lazy("lagging")),
    ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {
            "parked": Q(parked=True),
            "failing": LAGGING & Q(attempts__gt=0),
            "lagging": LAGGING,
        }
        if wrong := chosen.get(self.value() or ""):
            return queryset.filter(wrong)
        # Each half has its index; who searches looks for any stream.
        return queryset if SEARCH_VAR in request.GET else queryset.filter(Q(parked=True) | LAGGING)


@register(OutboxStream, site=platform_site)
class Streams(PlatformModelAdmin):
    """Parked and lagging streams, and by search any other."""

    acts = (Retry, Skip)
    menu = Menu.KERNEL
    icon = "conversion_path"
    label = "Outbox streams"
    list_display = ("__str__", "parked", "behind", "attempts", "available_at", "last_error")
    list_filter = (StreamFilter,)
    fields = (
        "aggregate_type",
        "aggregate_id",
        "external",
        "last_seq",
        "delivered_seq",
        "attempts",
        "available_at",
        "parked",
        "last_error",
    )
    ordering = ("-parked", "available_at", "pk")
    search_fields = ("aggregate_id",)
    search_help_text = gettext_lazy("Id of the stream or of what it tells about")

    def found(self, rows: QuerySet[OutboxStream], term: str) -> QuerySet[OutboxStream]:
        if not term.isdecimal():
            return rows.none()
        id = int(term)
        told_of = Q(aggregate_id=id, shard_key__in={gene_of(id), gene(id)})
        return rows.filter(Q(pk=id) | told_of)

    def behind(self, row: OutboxStream) -> int:
        return row.last_seq - row.delivered_seq


class HookStateFilter(ChoiceFilter):
    """What became of it."""

    title = gettext_lazy("state")
    parameter_name = "state"
    field = "state"
    options: ClassVar = list(Hook.State.choices)


@register(Hook, site=platform_site)
class Hooks(PlatformModelAdmin):
    """Notifications from outside, as they came."""

    menu = Menu.KERNEL
    icon = "webhook"
    label = "Webhook inbox"
    list_display = ("event_id", "channel", "state", "note", "received_at", "processed_at")
    list_filter = (HookStateFilter,)
    fields = (
        "channel",
        "event_id",
        "state",
        "note",
        "received_at",
        "processed_at",
        "headers",
        "body",
    )
    readonly_fields = fields
    search_fields = ("event_id",)
    search_help_text = gettext_lazy("Event id, written in full")

    def found(self, rows: QuerySet[Hook], term: str) -> QuerySet[Hook]:
        return rows.filter(event_id=term)

    def body(self, row: Hook) -> str:
        return bytes(row.payload).decode(errors="replace")


class AlarmFilter(ChoiceFilter):
    """Those that are open, unless all are asked for."""

    title = gettext_lazy("standing")
    parameter_name = "standing"
    options: ClassVar = [("open", gettext_lazy("open")), ("resolved", gettext_lazy("resolved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {"open": Q(resolved_at=None), "resolved": Q(resolved_at__isnull=False)}
        return queryset.filter(chosen.get(self.value() or "", Q()))


@register(Alarm, site=platform_site)
class Alarms(PlatformModelAdmin):
    """What the monitor has found, and what is to be done about it."""

    menu = Menu.KERNEL
    icon = "notifications_active"
    label = "Alarms"
    list_display = (
        "condition",
        "words",
        "owner",
        "level",
        "count",
        "oldest",
        "first_seen_at",
        "last_seen_at",
        "notified_at",
        "resolved_at",
    )
    list_filter = (AlarmFilter,)
    fields = (*list_display, "note", "runbook")
    readonly_fields = fields

    def words(self, row: Alarm) -> str:
        return self._said(row, "words")

    def owner(self, row: Alarm) -> str:
        return self._said(row, "owner")

    def runbook(self, row: Alarm) -> str:
        return self._said(row, "runbook")

    def _said(self, row: Alarm, what: str) -> str:
        """Nothing for a condition that there was once."""
        return str(getattr(monitor.conditions.get(row.condition), what, ""))


def standing_still(request: HttpRequest) -> Iterable[Figure]:
    """Alarms, parked and failing streams, and notifications that nobody could make sense of."""
    alarms = reverse("platform:core_alarm_changelist")
    streams = reverse("platform:core_outboxstream_changelist")
    hooks = reverse("platform:core_hook_changelist")
    return [
        Figure(
            _("Open alarms"),
            _counted(Alarm.objects.filter(resolved_at=None)),
            f"{alarms}?standing=open",
        ),
        Figure(
            _("Parked streams"),
            _counted(OutboxStream.objects.filter(parked=True)),
            f"{streams}?standing=parked",
        ),
        Figure(
            _("Failing streams"),
            _counted(OutboxStream.objects.filter(LAGGING, attempts__gt=0)),
            f"{streams}?standing=failing",
        ),
        Figure(
            _("Notifications to look at"),
            _counted(Hook.objects.filter(state__in=NOT_UNDERSTOOD)),
            hooks,
        ),
    ]


def _counted(rows: QuerySet[Any]) -> int:
    """Up to a thousand: nobody does something else for the next one."""
    return rows[:MOST_COUNTED].count()


platform_site.figures.append(standing_still)
