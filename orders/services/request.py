"""Asking to cancel what is being packed: the merchant answers in working time, or silence does.

While a request is open nothing of the order leaves.
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import Stateful, fire, start
from core.sweep import sweep
from orders import states
from orders.locks import lock_cancel_request, lock_open_requests, lock_order
from orders.models import CancelRequest, Order
from orders.selectors import due_request_ids
from orders.services.call_off import Cut, call_off_paid, cut_of, settle_requests
from orders.working_time import after_working_hours

SCAN_REQUESTS = 200
LONGEST_WORDS = 200
ONLY_WHILE_PACKING = _("Only an order that is being packed needs the merchant’s word.")


@command
def cancel_request_open(
    *, order_id: int, reason: str, actor: Actor, quantities: Mapping[int, int] | None = None
) -> CancelRequest:
    """The buyer asks to call off what has not left of an order, or some units per line.

    The deadline is the merchant's: so many working hours from now. Quiet when the same is asked
    for already. Locks group, order, an open request. Emits `cancel_request.requested`.
    Raises Conflict `cancel.requested` where something else is asked for, `state.conflict` unless
    the order is being packed, `cancel.nothing_open`; Invalid `cancel.quantity`.
    """
    _group, order = lock_order(order_id)
    asked = {str(line_id): units for line_id, units in sorted((quantities or {}).items())}
    for request in lock_open_requests([order]):
        return _same(request, asked)
    _refuse_unless(order, states.PACKING, "request_cancel", ONLY_WHILE_PACKING)
    cut_of(order, quantities)
    moment, merchant = clock.now(), order.merchant
    deadline = after_working_hours(
        moment, hours=merchant.cancel_answer_hours, time_zone=merchant.time_zone
    )
    request = CancelRequest.build(
        order.shard_key,
        order=order,
        quantities=asked,
        reason=reason[:LONGEST_WORDS],
        deadline=deadline,
    )
    start([request], verb="request", actor=actor, at=moment)
    fields = {"cancel_requested_until": deadline}
    fire(order, verb="request_cancel", actor=actor, reason=reason, at=moment, fields=fields)
    return request


def _same(request: CancelRequest, asked: Mapping[str, int]) -> CancelRequest:
    if request.quantities != asked:
        raise Conflict(
            "cancel.requested",
            _("You have asked to cancel already. Withdraw that first."),
            id=str(request.id),
        )
    return request


def _refuse_unless(row: Stateful, state: str, verb: str, message: str | Promise) -> None:
    if row.status != state:
        raise Conflict(
            "state.conflict",
            message,
            noun=row.machine.noun,
            id=str(row.id),
            state=row.status,
            verb=verb,
        )


@command
def cancel_request_approve(*, request_id: int, actor: Actor, restock: bool = True) -> CancelRequest:
    """Calls off what was asked for, as far as it has not been meanwhile. Quiet when it is.

    Locks group, order, the request, payments, shipments, reservations, stock rows.
    Emits `cancel_request.approved`, and what `call_off_paid()` emits.
    Raises NotFound `cancel_request.unknown`, Conflict `state.conflict`.
    """
    group, order, request = lock_cancel_request(request_id)
    if request.status == "approved":
        return request
    _refuse_unless(request, states.REQUESTED, "approve", _("This request has its answer."))
    cut = _still_asked(order, request)
    if cut.units:
        call_off_paid(
            group=group,
            cuts=[cut],
            actor=actor,
            reason=request.reason,
            restock=restock,
            granted=request,
        )
    else:
        fire(request, verb="approve", actor=actor)
        settle_requests([order], actor)
    return request


def _still_asked(order: Order, request: CancelRequest) -> Cut:
    """What was asked for and is still open; no units where the merchant has called it off."""
    whole = cut_of(order, None)
    if not request.quantities:
        return whole
    units = {
        line_id: min(open_units, request.quantities.get(str(line_id), 0))
        for line_id, open_units in whole.units.items()
    }
    return Cut(order, whole.lines, {line_id: wanted for line_id, wanted in units.items() if wanted})


@command
def cancel_request_decline(*, request_id: int, answer: str, actor: Actor) -> CancelRequest:
    """The order goes on; `answer` are the merchant's words to the buyer. Quiet when it is declined.

    Locks group, order, the request. Emits `cancel_request.declined`. Raises Invalid
    `cancel.answer_missing`, NotFound `cancel_request.unknown`, Conflict `state.conflict`.
    """
    if not answer.strip():
        raise Invalid("cancel.answer_missing", _("Tell the buyer why."))
    _group, order, request = lock_cancel_request(request_id)
    if request.status != "declined":
        fields = {"answer": answer.strip()[:LONGEST_WORDS]}
        fire(request, verb="decline", actor=actor, fields=fields)
        settle_requests([order], actor)
    return request


@command
def cancel_request_withdraw(*, request_id: int, actor: Actor) -> CancelRequest:
    """The buyer wants the goods after all. Quiet when it is withdrawn.

    Locks group, order, the request. Emits `cancel_request.withdrawn`. Raises NotFound
    `cancel_request.unknown`, Conflict `state.conflict`.
    """
    _group, order, request = lock_cancel_request(request_id)
    if request.status != "withdrawn":
        fire(request, verb="withdraw", actor=actor)
        settle_requests([order], actor)
    return request


def approve_due() -> int:
    """Approves what no merchant has answered in time, one transaction each; answers how many."""
    return sweep(
        due_request_ids(most=SCAN_REQUESTS),
        lambda id_: cancel_request_approve(request_id=id_, actor=system("request clock")),
    )
