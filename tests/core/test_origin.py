"""Every edge says where its work comes from, and every step remembers it."""

import subprocess
import sys
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from config.celery import app
from config.origin import edge_of
from core import clock
from core.models import OutboxEvent, StateChange
from core.origin import NOWHERE, coming_from, origin, request_id_of
from orders.models import Order
from orders.tasks import expire_due_groups
from tests.api.conftest import platform_key
from tests.consoles.world import page, sent, staff_client
from tests.factories.story import capture, deliver_events, make_group, make_paid_group
from tests.factories.story import start_payment as begin

NAMED = {"X-Request-Id": "from-me-1"}


def step(noun: str, object_id: int, verb: str) -> StateChange:
    """The one step of that verb."""
    return StateChange.objects.get(noun=noun, object_id=object_id, verb=verb)


def test_what_no_edge_has_named_comes_from_nowhere() -> None:
    assert origin() == NOWHERE

    with coming_from("web", "a"):
        with coming_from("relay", "b"):
            assert (origin().source, origin().request_id) == ("relay", "b")
        assert (origin().source, origin().request_id) == ("web", "a")

    assert origin() == NOWHERE


@pytest.mark.parametrize("odd", ["", "a b", "a\tb", "ä", "c" * 65])
def test_a_name_that_cannot_be_kept_is_replaced(odd: str) -> None:
    assert UUID(request_id_of(odd)).version == 7
    assert request_id_of(odd) != request_id_of(odd)
    assert request_id_of("c" * 64) == "c" * 64


@pytest.mark.parametrize(
    ("path", "edge"),
    [
        ("/", "web"),
        ("/basket/", "web"),
        ("/api/v1/orders", "api"),
        ("/merchant/orders/order/", "console"),
        ("/platform/", "console"),
        ("/hooks/sandbox/1", "hook"),
        ("/hooks/carrier/1", "hook"),
    ],
)
def test_the_address_names_the_edge(path: str, edge: str) -> None:
    assert edge_of(path) == edge


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/healthz", "/nothing/here", "/merchant/", "/api/v1/orders"])
def test_every_answer_names_its_request(path: str) -> None:
    assert Client().get(path, headers=NAMED)["X-Request-Id"] == "from-me-1"
    assert UUID(Client().get(path)["X-Request-Id"]).version == 7


def test_an_answer_that_the_shop_never_saw_names_its_request(settings: object) -> None:
    settings.SECURE_SSL_REDIRECT = True  # type: ignore[attr-defined]

    answer = Client().get("/anything", headers=NAMED)

    assert (answer.status_code, answer["X-Request-Id"]) == (301, "from-me-1")


@pytest.mark.django_db(transaction=True)
def test_a_step_in_a_console_remembers_the_console_and_the_request() -> None:
    order = Order.objects.get(group=make_paid_group())
    client = staff_client()
    client.defaults["HTTP_X_REQUEST_ID"] = "console-1"

    assert sent(client, page(order, "acknowledge", "platform")).status_code == 302

    told = step("order", order.id, "acknowledge")
    assert (told.source, told.request_id) == ("console", "console-1")


@pytest.mark.django_db(transaction=True)
def test_a_step_by_the_api_remembers_the_api_and_the_request() -> None:
    order = Order.objects.get(group=make_paid_group())

    answer = platform_key().send(
        "POST",
        f"/orders/{order.id}/acknowledge",
        **{"X-Request-Id": "api-1", "Idempotency-Key": "origin-api-key-1"},
    )

    assert answer.status_code == 200, answer.content
    told = step("order", order.id, "acknowledge")
    assert (told.source, told.request_id) == ("api", "api-1")


@pytest.mark.django_db(transaction=True)
def test_a_step_by_a_consumer_remembers_the_event_that_it_is_about() -> None:
    group = make_group()
    capture(begin(group))

    deliver_events()

    told = step("order_group", group.id, "pay")
    captured = OutboxEvent.objects.get(type="payment.captured")
    assert (told.source, told.request_id) == ("relay", str(captured.id))
    assert origin() == NOWHERE


@pytest.mark.django_db(transaction=True)
def test_a_step_by_a_task_remembers_the_task() -> None:
    group = make_group()
    clock.advance(group.pay_before - clock.now())

    expire_due_groups.apply(task_id="task-1")

    told = step("order_group", group.id, "expire")
    assert (told.source, told.request_id) == ("task", "task-1")
    assert origin() == NOWHERE


def test_a_task_that_is_called_like_a_function_has_no_name_of_its_own() -> None:
    @app.task  # type: ignore[untyped-decorator]
    def tell() -> tuple[str, str]:
        return origin().source, origin().request_id

    assert tell() == ("task", "")


def test_a_command_names_itself(process_environment: dict[str, str]) -> None:
    told = subprocess.run(
        [
            *(sys.executable, "manage.py", "shell", "--no-imports", "-c"),
            "from core.origin import origin; print(origin().source, origin().request_id)",
        ],
        cwd=settings.BASE_DIR,
        env=process_environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert told[0] == "command"
    assert UUID(told[1].removeprefix("shell-")).version == 7
