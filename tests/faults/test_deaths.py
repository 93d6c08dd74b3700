"""A process that dies at any step of the story: whoever comes next brings it to the same end."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings

from core import audit
from core.models import Hook, OutboxStream, StateChange
from inventory.models import StockMovement
from orders.models import Mail, VoucherUse
from payments.channels import sandbox as sandbox_channel
from payments.channels.base import channel_named
from payments.models import Attempt, ChannelFact, LedgerEntry
from tests.architecture.sources import ours
from tests.conftest import database_url
from tests.environment.conftest import eventually
from tests.faults.deeds import DEEDS, fill, group_of
from tests.faults.forks import DIED, Forks
from tests.faults.shop import own_place, read_book, running

pytestmark = pytest.mark.django_db(transaction=True)

Row = tuple[object, ...]

MOVEMENTS = "payment-sandbox", "SELECT kind, amount_minor FROM movement"
UNDECIDED = "SELECT key FROM payment WHERE status = 'processing'"
ON_THE_WAY = ("process", "require_action")
STEP = ("noun", "verb", "to_state")
UNITS = ("reason", "on_hand_change", "reserved_change")
# Who dies there has lost a basket's change, or a note, and sends it again.
BESIDE_THE_STORY = {
    *("cart_open", "cart_line_add", "cart_line_set", "cart_line_remove", "cart_settle"),
    *("cart_identify", "cart_merge", "cart_refill", "checkout_open", "checkout_update"),
    *("cart_voucher_set", "cart_voucher_remove"),
    # A voucher of that code is there, or is as it shall be, and says so.
    *("voucher_create", "voucher_amend", "voucher_stop", "voucher_resume"),
    "note_add",  # sent again it stands there twice, which changes nothing
    "_place",  # as `_complete`, for callers without a checkout record
}


def around(*services: str) -> list[str]:
    """The moments before and after these services' COMMIT."""
    return [f"{moment}:{name}" for name in services for moment in ("before_commit", "after_commit")]


UNPAID = ["place", "deliver"]
STARTED = [*UNPAID, "start"]
AT_CHANNEL = [*STARTED, "deliver"]
CHALLENGED = [*UNPAID, "start_challenge", "deliver"]
NOTIFIED = [*AT_CHANNEL, "notify"]
PAID = [*NOTIFIED, "deliver"]
PACKING = [*PAID, "acknowledge", "start_packing"]
ASKED = [*PACKING, "ask_to_cancel"]
SHIPPED = [*PACKING, "ship", "deliver"]
PROMISED = [*UNPAID, "start_promise", "deliver", "notify", "deliver"]
PROMISED_SHIPPED = [*PROMISED, "acknowledge", "start_packing", "ship"]
CASH_SHIPPED = [*UNPAID, "start_cash", "deliver", "acknowledge", "start_packing", "ship", "deliver"]

# What was done before; the deed at which a process dies; where.
STEPS: dict[str, tuple[Sequence[str], str, Sequence[str]]] = {
    "place": ([], "place", around("_complete")),
    "place with a voucher": (["enter_voucher"], "place", around("_complete")),
    "expire with a voucher": (
        ["enter_voucher", *UNPAID],
        "expire_with_others",
        around("order_groups_expire"),
    ),
    "tell of it": (
        ["place"],
        "deliver",
        [*around("mail_write", "mail_sent"), "relay_before_advance", "after_mail_before_commit"],
    ),
    "extend": ([*UNPAID, "hesitate"], "extend_and_start", around("order_group_extend")),
    "start to pay": (UNPAID, "start", around("payment_start")),
    "ask the channel": (
        STARTED,
        "deliver",
        [
            *around("attempt_answer_record"),
            *("relay_before_advance", "after_channel_before_commit", "task_before_advance"),
        ],
    ),
    "be notified": (AT_CHANNEL, "notify", around("hook_store")),
    "start with store credit": (
        UNPAID,
        "start_with_credit",
        around("payment_start_with_credit"),
    ),
    "approve a refund": ([*PAID, "ask_refund"], "approve_refund", around("order_refund_approve")),
    "decline a refund": ([*PAID, "ask_refund"], "decline_refund", around("order_refund_decline")),
    "pay": (NOTIFIED, "deliver", around("hook_process", "order_group_pay")),
    "remind": (PAID, "remind", around("merchant_remind")),
    "resume": (PAID, "resume", around("order_group_resume")),
    "acknowledge": (PAID, "acknowledge", around("order_acknowledge")),
    "pack": ([*PAID, "acknowledge"], "start_packing", around("order_start_packing")),
    "ship": (PACKING, "ship", around("order_ship")),
    "receive": (SHIPPED, "receive", around("order_deliver")),
    "take promised money": (
        PROMISED_SHIPPED,
        "deliver",
        [
            *around("order_capture", "capture_answer_record", "order_captured"),
            "after_channel_before_commit",
        ],
    ),
    "miss promised money": ([*PROMISED, "let_lapse"], "deliver", around("order_group_lapse")),
    "take back unpaid": (
        [*CASH_SHIPPED, "refuse_at_the_door"],
        "deliver",
        around("order_take_back"),
    ),
    "complete": ([*SHIPPED, "receive", "deliver"], "keep", around("order_complete")),
    "expire": (CHALLENGED, "expire", around("order_group_expire")),
    "expire with others": (UNPAID, "expire_with_others", around("order_groups_expire")),
    "cancel unpaid": (CHALLENGED, "cancel", around("order_group_cancel")),
    "close at the channel": (
        [*CHALLENGED, "cancel"],
        "deliver",
        [*around("attempt_answer_record"), "after_channel_before_commit"],
    ),
    "cancel paid": (PAID, "cancel", around("order_group_cancel")),
    "cancel one order": (PACKING, "call_off", around("order_cancel")),
    "ask to cancel": (PACKING, "ask_to_cancel", around("cancel_request_open")),
    "approve": (ASKED, "approve_request", around("cancel_request_approve")),
    "decline": (ASKED, "decline_request", around("cancel_request_decline")),
    "withdraw": (ASKED, "withdraw_request", around("cancel_request_withdraw")),
    "give back": (PAID, "refund", around("order_refund")),
    "send the money back": (
        [*PAID, "cancel"],
        "deliver",
        [
            *around("order_group_summarise", "refund_send", "refund_answer_record"),
            *("after_channel_before_commit", "task_before_advance"),
        ],
    ),
}


# As the others, at steps with nothing of their own: one service, no channel.
LATER = {
    *("extend", "remind", "resume", "expire with others"),
    *("place with a voucher", "expire with a voucher"),
    *("ask to cancel", "approve", "decline", "withdraw"),
    "tell of it",
    "acknowledge",
    "pack",
    "receive",
    "complete",
    *("start with store credit", "approve a refund", "decline a refund"),
    "give back",
    "cancel one order",
    "miss promised money",
    "take back unpaid",
}


@pytest.fixture(scope="module")
def bank(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The payment sandbox, running; where its book is."""
    folder = tmp_path_factory.mktemp("bank")
    with own_place(folder), running(folder, "payment-sandbox") as shop:
        shop.until(lambda: shop.works("payment-sandbox"))
        yield folder
        sandbox_channel._client().close()
        sandbox_channel._client.cache_clear()


@pytest.fixture(scope="module")
def forks(bank: Path) -> Iterator[Forks]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_URL": "dummymail://",
        "PORT": str(settings.PORT),
    }
    with Forks(environment) as forks:
        yield forks


class Shop:
    """One group after the other goes through the same steps, once without a death."""

    def __init__(self, bank: Path, forks: Forks, before: Sequence[str], deed: str) -> None:
        self._bank, self._forks, self._before, self._deed = bank, forks, before, deed

    def outcome(self, *, crash_at: str = "") -> Counter[Row]:
        """What the books have more of after the steps, with a death on the way or without."""
        token = fill()
        books = self._books()
        for deed in self._before:
            DEEDS[deed](token)
            self._until_captured()
        if crash_at:
            assert self._forks.do(self._deed, token, crash_at=crash_at) == DIED, crash_at
            assert audit.run() == [], crash_at
            OutboxStream.objects.update(lease_until=None)  # as they run out
        assert self._forks.do(self._deed, token) == 0
        self._finish(token)
        assert audit.run(final=True) == [], crash_at
        return self._books() - books

    def _finish(self, token: str) -> None:
        """The rest comes by itself: relay and workers go on, the channel tells once more."""
        DEEDS["deliver"](token)
        self._until_captured()
        attempts = Attempt.objects.filter(payment__reference=group_of(token).id, channel="sandbox")
        for attempt in attempts:
            if channel_named("sandbox").query(attempt.channel_key).status == "captured":
                DEEDS["notify"](token)
        DEEDS["deliver"](token)

    def _until_captured(self) -> None:
        eventually(lambda: not read_book(self._bank, "payment-sandbox", UNDECIDED))

    def _books(self) -> Counter[Row]:
        """All that is written for good, without ids; an attempt's way to its end may differ."""
        rows: list[Row] = [("bank", *row) for row in read_book(self._bank, *MOVEMENTS)]
        for name, values in (
            ("step", StateChange.objects.exclude(verb__in=ON_THE_WAY).values_list(*STEP)),
            ("units", StockMovement.objects.values_list(*UNITS)),
            ("fact", ChannelFact.objects.values_list("kind", "amount_minor")),
            ("entry", LedgerEntry.objects.values_list("account_id", "amount_minor")),
            ("mail", Mail.objects.exclude(sent_at=None).values_list("template")),
            ("hook", Hook.objects.values_list("state")),
            ("use", VoucherUse.objects.filter(given_back_at=None).values_list("discount_minor")),
        ):
            rows.extend((name, *row) for row in values)
        return Counter(rows)


def each_step() -> list[object]:
    return [
        pytest.param(name, id=name, marks=[pytest.mark.long] if name in LATER else [])
        for name in STEPS
    ]


@pytest.mark.parametrize("name", each_step())
def test_wherever_a_process_dies_the_story_ends_the_same(
    name: str, bank: Path, forks: Forks
) -> None:
    before, deed, points = STEPS[name]
    shop = Shop(bank, forks, before, deed)
    whole = shop.outcome()

    for point in points:
        assert shop.outcome(crash_at=point) == whole, point


def test_every_named_point_is_died_at() -> None:
    named = set(re.findall(r'crash_point\("(\w+)"\)', "".join(ours().values())))
    covered = {point for _, _, points in STEPS.values() for point in points}
    assert named - covered == {"after_carrier_before_commit"}  # tests/delivery kill there


def test_every_service_of_the_story_is_died_in() -> None:
    services = {
        name
        for path, text in ours().items()
        if path.startswith("orders/services/")
        for name in re.findall(r"^@command\ndef (\w+)", text, re.MULTILINE)
    }
    covered = {point.partition(":")[2] for _, _, points in STEPS.values() for point in points}
    assert services - covered == BESIDE_THE_STORY
