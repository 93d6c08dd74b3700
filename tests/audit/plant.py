"""What a planted fault is, and the half-done services that some of them are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

from django.db import connection

from core import audit
from core.command import command
from core.fsm import Stateful, fire
from core.locks import locked
from core.states import Edge
from inventory.services import reservation_release
from orders.models import OrderLine
from tests.factories import TESTER
from tests.factories.stock import in_command
from tests.factories.story import deliver_events

Ids = dict[str, int]
Act = Callable[[Ids], None]


@dataclass(frozen=True)
class Fault:
    """A name, what is done to the clean data, and the codes of other views that it breaks too.

    SQL may name what was walked: `{paid_order1}`.
    """

    name: str
    acts: tuple[str | Act, ...]
    also: frozenset[str]

    def plant(self, ids: Ids) -> None:
        """Does the damage, in the transaction that is running."""
        for act in self.acts:
            if callable(act):
                act(ids)
            else:
                with connection.cursor() as cursor:
                    cursor.execute(act.format(**ids))


def fault(name: str, *acts: str | Act, also: str = "") -> Fault:
    """A fault; `also` are codes between spaces."""
    return Fault(name, acts, frozenset(also.split()))


def step(model: type[Stateful], verb: str, *names: str) -> Act:
    """Moves rows on with their history and events, and does nothing else that belongs to it."""

    @command
    def forget_the_rest(ids: Ids) -> None:
        rows = locked(model._default_manager.filter(pk__in=[ids[name] for name in names]))
        # Whatever the clock says, and whosever step it is.
        with (
            patch.object(Edge, "holds", lambda *_: True),
            patch.object(Edge, "allows", lambda *_: True),
        ):
            fire(rows, verb=verb, actor=TESTER)

    def act(ids: Ids) -> None:
        forget_the_rest(ids)
        deliver_events()

    return act


def release(*orders: str) -> Act:
    """Puts the units of these orders back on sale, whatever the orders say."""

    def act(ids: Ids) -> None:
        lines = OrderLine.objects.filter(order__in=[ids[name] for name in orders])
        in_command(reservation_release, references=lines.values_list("id", flat=True), reason="")

    return act


def broken(*, final: bool = False) -> set[str]:
    """The names of the views that are not empty, read in the running transaction."""
    with connection.cursor() as cursor:
        grace = "0" if final else "60"
        cursor.execute("SELECT set_config('quayside.grace_seconds', %s, true)", [grace])
        found = set()
        for name in audit.views:
            cursor.execute(f"SELECT FROM audit.{name} LIMIT 1")
            if cursor.rowcount:
                found.add(name)
    return found


def codes(views: set[str]) -> set[str]:
    """Their codes in the catalogue."""
    return {audit.views[name].code for name in views}
