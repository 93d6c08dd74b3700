"""Which groups the expiry has to look at. It decides again, under their locks."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet

from core import clock
from orders import states
from orders.models import OrderGroup
from payments.models import Attempt

# How long after the deadline goods stay held for a channel that does not say whether it has closed.
HOLD_LIMIT = timedelta(minutes=5)

_TRIED = Exists(
    Attempt.objects.filter(
        payment__reference=OuterRef("pk"), payment__shard_key=OuterRef("shard_key")
    )
)
# Its event is on the way, and pays the group. Left out, so that many of them never hold up the rest.
_HAS_MONEY = Exists(
    Attempt.objects.filter(
        payment__reference=OuterRef("pk"),
        payment__shard_key=OuterRef("shard_key"),
        status="succeeded",
        is_excess=False,
    )
)


def untried_group_ids(*, most: int) -> list[int]:
    """Unpaid groups past their deadline that nobody has tried to pay, the longest overdue first."""
    return _longest_overdue(_pending().filter(~_TRIED), most)


def tried_group_ids(*, most: int) -> list[int]:
    """The same of those that somebody has tried to pay, in vain so far."""
    return _longest_overdue(_pending().filter(_TRIED, ~_HAS_MONEY), most)


def stuck_group_ids(*, most: int) -> list[int]:
    """Groups whose channel has not said in time whether the attempt is closed."""
    latest = clock.now() - HOLD_LIMIT
    stuck = OrderGroup.objects.filter(status=states.EXPIRING, pay_before__lte=latest)
    return _longest_overdue(stuck.filter(~_HAS_MONEY), most)


def _pending() -> QuerySet[OrderGroup]:
    return OrderGroup.objects.filter(status=states.PENDING_PAYMENT, pay_before__lte=clock.now())


def _longest_overdue(groups: QuerySet[OrderGroup], most: int) -> list[int]:
    return list(groups.order_by("pay_before", "id").values_list("id", flat=True)[:most])
