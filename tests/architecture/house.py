"""The states and verbs of the house as its map has them; True: a row may rest there for good."""

Drawn = tuple[dict[str, bool], dict[str, tuple[set[str], str]]]

LIVE = {"created", "requires_action", "processing"}

MACHINES: dict[str, Drawn] = {
    "order_group": (
        {
            "pending_payment": False,
            "expiring": False,
            "paid": True,
            "expired": True,
            "cancelled": True,
        },
        {
            "pay": ({"pending_payment", "expiring"}, "paid"),
            "start_expiring": ({"pending_payment"}, "expiring"),
            "expire": ({"pending_payment", "expiring"}, "expired"),
            "cancel": ({"pending_payment"}, "cancelled"),
            "reinstate": ({"expired"}, "paid"),
            "extend": ({"pending_payment"}, "="),
            "prolong": ({"pending_payment"}, "="),
            "amend": ({"pending_payment", "expiring", "paid", "expired", "cancelled"}, "="),
        },
    ),
    "order": (
        {
            "pending_payment": False,
            "paid": False,
            "acknowledged": False,
            "packing": False,
            "shipped": False,
            "delivered": False,
            "completed": True,
            "cancelled": True,
        },
        {
            "pay": ({"pending_payment"}, "paid"),
            "acknowledge": ({"paid"}, "acknowledged"),
            "start_packing": ({"acknowledged"}, "packing"),
            "ship": ({"packing"}, "shipped"),
            "deliver": ({"shipped"}, "delivered"),
            "complete": ({"delivered"}, "completed"),
            "cancel": ({"pending_payment", "paid", "acknowledged", "packing"}, "cancelled"),
            "reinstate": ({"cancelled"}, "paid"),
            "ship_part": ({"packing"}, "="),
            "reduce": ({"pending_payment", "paid", "acknowledged", "packing"}, "="),
            "request_cancel": ({"packing"}, "="),
            "settle_request": ({"packing", "cancelled", "shipped"}, "="),
            "amend": (
                {
                    *("pending_payment", "paid", "acknowledged", "packing"),
                    *("shipped", "delivered", "completed", "cancelled"),
                },
                "=",
            ),
        },
    ),
    "cancel_request": (
        {"requested": False, "approved": True, "declined": True, "withdrawn": True},
        {
            "approve": ({"requested"}, "approved"),
            "decline": ({"requested"}, "declined"),
            "withdraw": ({"requested"}, "withdrawn"),
        },
    ),
    "payment": (
        {"open": False, "authorised": False, "captured": True, "closed": True},
        {
            "authorise": ({"open"}, "authorised"),
            "capture": ({"open", "authorised", "closed"}, "captured"),
            "close": ({"open", "authorised"}, "closed"),
        },
    ),
    "attempt": (
        {
            "created": False,
            "requires_action": False,
            "processing": False,
            "succeeded": True,
            "failed": True,
            "closed": True,
        },
        {
            "require_action": (LIVE, "requires_action"),
            "process": (LIVE, "processing"),
            "fail": (LIVE, "failed"),
            # Beyond the map: a channel may close what it refused, in either order of arrival.
            "close": (LIVE | {"failed"}, "closed"),
            "succeed": (LIVE | {"failed", "closed"}, "succeeded"),
        },
    ),
    "refund": (
        {
            "pending": False,
            "approved": False,
            "sent": False,
            "succeeded": True,
            "failed": False,
            "declined": True,
        },
        {
            "approve": ({"pending"}, "approved"),
            "decline": ({"pending"}, "declined"),
            "send": ({"approved"}, "sent"),
            "succeed": ({"sent", "failed"}, "succeeded"),
            "fail": ({"sent"}, "failed"),
            "retry": ({"failed"}, "approved"),
        },
    ),
    "reservation": (
        {"held": False, "committed": False, "shipped": True, "released": True},
        {
            "commit": ({"held"}, "committed"),
            "ship": ({"committed"}, "shipped"),
            "release": ({"held", "committed"}, "released"),
        },
    ),
    "shipment": (
        {
            "prepared": False,
            "handed_over": False,
            "in_transit": False,
            "delivered": True,
            "void": True,
            "lost": True,
            "returned": True,
        },
        {
            "hand_over": ({"prepared"}, "handed_over"),
            "move": ({"handed_over"}, "in_transit"),
            "deliver": ({"handed_over", "in_transit", "lost"}, "delivered"),
            "void": ({"prepared"}, "void"),
            "lose": ({"handed_over", "in_transit"}, "lost"),
            "return": ({"handed_over", "in_transit", "lost", "delivered"}, "returned"),
        },
    ),
}
BIRTHS = {
    "order_group": {"place"},
    "order": {"place"},
    "cancel_request": {"request"},
    "payment": {"open"},
    "attempt": {"start"},
    "refund": {"request"},
    "reservation": {"hold"},
    "shipment": {"prepare"},
}
