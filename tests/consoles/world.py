"""Two merchants with something of every kind, and who looks at it through which console."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.userkit import user_id_to_str
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern

from accounts.consoles import ConsoleSite
from accounts.models import Merchant, MerchantMember, User
from accounts.services import member_add
from accounts.totp import totp_give
from core.models import Alarm, Hook, OutboxStream
from delivery.models import Shipment
from inventory.models import Location, StockItem
from inventory.services import stock_adjust
from orders.models import Mail, Order, OrderGroup
from orders.services.fulfil import order_acknowledge, order_ship
from orders.services.refund import order_refund
from payments.models import BankStatement, LineMatch, ManualTransfer
from payments.services.bank import line_give_back
from payments.services.payee import merchant_account_change
from tests.factories import TESTER, fresh, make_user
from tests.factories.bank import FINANCE, receive
from tests.factories.settlement import IBAN, make_payout
from tests.factories.story import (
    MERCHANT,
    deliver_events,
    make_delivering_merchant,
    make_stocked_sku,
    pack,
    pay,
    place,
)
from tests.factories.vouchers import make_voucher

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# What the requests of a test themselves, or other processes, write.
NOT_COMPARED = {"django_session", "core_idlease"}


@dataclass(frozen=True, slots=True)
class Stall:
    """A merchant, the rows that are its own, and the words that only it may read."""

    merchant: Merchant
    rows: list[Model]
    secrets: set[str]

    def first(self, model: type[Model]) -> Any:
        """Its first row of a model."""
        return next(row for row in self.rows if isinstance(row, model))


def make_stall(name: str) -> Stall:
    """A merchant that has sold, shipped in part, refunded and counted, under names of its own."""
    merchant = make_delivering_merchant(name=f"{name} Trading")
    payout = make_payout(merchant)
    merchant_account_change(
        merchant_id=merchant.pk, holder=f"{name} Payee", iban=IBAN, actor=TESTER
    )
    skus = [make_stocked_sku(merchant, code=fresh(f"{name}-sku-{{}}")) for _ in range(2)]
    group = pay(place([(skus[0], 3)]))
    order = group.orders.get()
    pack(order)
    line = order.lines.get()
    order_ship(
        order_id=order.pk,
        actor=MERCHANT,
        quantities={line.pk: 1},
        carrier="manual",
        tracking_number=fresh(f"{name}-T{{}}"),
    )
    order_refund(
        order_id=order.pk,
        amount_minor=100,
        reason=f"{name} was late",
        request_key=fresh("key-{}"),
        actor=MERCHANT,
    )
    items = list(StockItem.objects.filter(merchant=merchant))
    stock_adjust(
        stock_item_id=items[0].pk,
        change=-1,
        reason_note=f"{name} broke one",
        dedup_key="one",
        actor=TESTER,
    )
    code = fresh(f"{name.upper()}-{{}}")
    voucher = make_voucher(code=code, funded_by="merchant", merchant_id=merchant.pk)
    deliver_events()
    products = [sku.product for sku in skus]
    secrets = {order.number, f"{name} Trading", f"{name} was late", f"{name} broke one"}
    secrets |= {f"{name} Payee", str(payout.statement), voucher.code}
    secrets |= {sku.code for sku in skus} | {product.title for product in products}
    secrets |= set(
        Shipment.objects.filter(merchant=merchant).values_list("tracking_number", flat=True)
    )
    rows: list[Model] = [order, *items, *skus, *products, merchant, voucher]
    rows += [payout, payout.statement]
    rows += [
        *Location.objects.filter(merchant=merchant),
        *Shipment.objects.filter(merchant=merchant),
    ]
    return Stall(merchant, rows, secrets)


def make_shared_group(first: Stall, second: Stall) -> OrderGroup:
    """What one shopper buys from both: each is to see its own part of it."""
    group = pay(place([(make_stocked_sku(stall.merchant), 1) for stall in (first, second)]))
    for stall in (first, second):
        order = group.orders.get(merchant=stall.merchant)
        stall.rows.append(order)
        stall.secrets.update({order.number, order.lines.get().title, order.lines.get().sku_code})
        Mail.objects.create(
            id=order.id,
            shard_key=order.shard_key,
            group=group,
            order=order,
            event_id=fresh("00000000-0000-0000-0000-{:012}"),
            template="new_order",
            recipient="merchant@example.com",
            language="en",
            subject=fresh(f"{stall.merchant.name} mail {{}}"),
            text="-",
            html="-",
            created_at=group.placed_at,
        )
    return group


def platform_rows(*stalls: Stall) -> list[Model]:
    """One row of everything that staff see."""
    Hook.objects.create(
        id=1,
        channel="sandbox",
        event_id="evt-1",
        payload=b'{"a": 1}',
        received_at="2026-11-01T00:00Z",
    )
    seen = "2026-11-01T00:00Z"
    Alarm.objects.create(
        condition="S1", level="warn", count=1, first_seen_at=seen, last_seen_at=seen
    )
    match = receive(700, "for nothing")
    line_give_back(match_id=match.pk, reason="unknown", actor=FINANCE)
    models = (
        *(OrderGroup, Alarm, Hook, OutboxStream, User),
        *(BankStatement, LineMatch, ManualTransfer),
    )
    return [row for stall in stalls for row in stall.rows] + [
        row for model in models for row in model._default_manager.all()[:2]
    ]


def member_client(
    merchant: Merchant, role: str = MerchantMember.Role.OWNER, user: User | None = None
) -> Client:
    """Logged in as somebody who works for that merchant."""
    user = user or make_user()
    member_add(
        merchant_id=merchant.pk, user_id=user.pk, role=MerchantMember.Role(role), actor=TESTER
    )
    client = Client()
    client.force_login(user)
    return client


def staff_client() -> Client:
    """Logged in as one of the staff, whose session has shown a one-time code."""
    user = make_user(is_staff=True)
    totp_give(user=user, secret=TOTP_SECRET)
    client = Client()
    client.force_login(user)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "at": 0, "type": "totp"}]
    session["account_authentication_methods_user"] = user_id_to_str(user)
    session.save()
    return client


def page(row: Model, verb: str = "", site: str = "merchant") -> str:
    """The address of a row's page, or of what is done to it there."""
    name = f"{row._meta.app_label}/{row._meta.model_name}"
    return f"/{site}/{name}/{row.pk}/change/{verb}{'/' if verb else ''}"


def sent(client: Client, path: str, **fields: Any) -> Any:
    """The page is opened and its form sent, with these values in the place of its own."""
    return client.post(path, {**form_of(client, path), **fields})


def form_of(client: Client, path: str) -> dict[str, Any]:
    """What a browser would send of the form of a page."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    form = answer.context["form"]
    given = {name: form[name].value() for name in form.fields}
    hidden = {name: answer.context[name] for name in ("token", "stamp")}
    return {name: value for name, value in {**given, **hidden}.items() if value is not None}


def paths(site: ConsoleSite, rows: list[Model]) -> Iterator[tuple[str, str]]:
    """(name, address) of every pattern of a site, with every row that it may be about."""
    for name, pattern in patterns(site.get_urls()):
        about = [
            row for row in rows if pattern.startswith(f"{row._meta.label_lower.replace('.', '/')}/")
        ]
        for row in about if "object_id" in pattern else rows[:1]:
            path = pattern.replace("(?P<url>.*)$", "nothing/").replace(
                "<path:object_id>", str(row.pk)
            )
            path = re.sub(r"\^\(\?P<app_label>.*\)/\$", f"{row._meta.app_label}/", path)
            yield name, f"/{site.name}/{path}"


def patterns(urls: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, route) of every pattern, those of included ones too."""
    for url in urls:
        route = prefix + str(url.pattern)
        if isinstance(url, URLPattern):
            yield url.name or "", route
        else:
            yield from patterns(url.url_patterns, route)


def database() -> dict[str, tuple[int, int]]:
    """Of each table how many rows it has, and a sum that any written row changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sorted({name for (name,) in cursor.fetchall()} - NOT_COMPARED)
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}', count(*), coalesce(sum(hashtext(ctid::text || xmin::text)), 0)"
                f" FROM {connection.ops.quote_name(name)}"
                for name in tables
            )
        )
        return {name: (count, total) for name, count, total in cursor.fetchall()}


def order_in(state: str) -> Order:
    """A new order that has come this far."""
    order = pay(place([(make_stocked_sku(), 2)])).orders.get()
    if state == "acknowledged":
        order_acknowledge(order_id=order.pk, actor=MERCHANT)
    elif state != "paid":
        pack(order)
    if state == "shipped":
        order_ship(order_id=order.pk, actor=MERCHANT, carrier="manual", tracking_number="T")
    return Order.objects.get(pk=order.pk)
