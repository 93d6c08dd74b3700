"""Keyed requests: one effect per key, the first answer for every repetition, nothing left behind."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from core.command import command
from core.errors import Conflict, Denied, DomainError, Invalid, NotFound, ProgrammingMistake
from core.idempotency import Answer, Request, fingerprint_of, idempotent, scope_of
from core.models import Heartbeat, IdempotencyKey
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "0123456789abcdef"


def request(*, key: str = KEY, body: Any = None, path: str = "/orders/1/pay", who: str = "u1"):
    """A keyed request of a user."""
    return Request(
        scope=scope_of(principal=who, tenant="shop", method="POST", route="pay"),
        key=key,
        fingerprint=fingerprint_of(
            method="POST", path=path, content_type="application/json", body=body or {"a": 1}
        ),
    )


def refusal(error: DomainError) -> Answer:
    return Answer(error.http_status, {"code": error.code})


@command
def heart_add(*, name: str) -> Heartbeat:
    return Heartbeat.objects.create(name=name, at=timezone.now())


def add_heart() -> Answer:
    heart = heart_add(name=f"heart {Heartbeat.objects.count() + 1}")
    return Answer(201, {"name": heart.name}, f"/hearts/{heart.name}")


def refused_with(error: DomainError) -> Callable[[], Answer]:
    """Work that does something and is then refused."""

    @command
    def heart_add_badly() -> None:
        Heartbeat.objects.create(name="bad", at=timezone.now())
        raise error

    def work() -> Answer:
        heart_add_badly()
        return Answer(201)

    return work


def terminate_own_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_repetition_gets_the_first_answer_and_has_no_effect() -> None:
    first = idempotent(request(), add_heart, refusal)
    second = idempotent(request(), add_heart, refusal)

    assert first == Answer(201, {"name": "heart 1"}, "/hearts/heart 1")
    assert second == Answer(201, {"name": "heart 1"}, "/hearts/heart 1", replayed=True)
    assert Heartbeat.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"body": {"a": 2}},
        {"path": "/orders/2/pay"},
        {"path": "/orders/1/pay?force=1"},
    ],
    ids=["body", "path", "query"],
)
def test_a_key_with_another_request_is_refused(other: dict[str, Any]) -> None:
    idempotent(request(), add_heart, refusal)

    with pytest.raises(Invalid) as reused:
        idempotent(request(**other), add_heart, refusal)

    assert reused.value.code == "idempotency-key-reused"
    assert Heartbeat.objects.count() == 1


def test_the_order_of_members_makes_no_other_request() -> None:
    idempotent(request(body={"a": 1, "b": [1, 2]}), add_heart, refusal)

    assert idempotent(request(body={"b": [1, 2], "a": 1}), add_heart, refusal).replayed
    with pytest.raises(Invalid):
        idempotent(request(body={"a": 1, "b": [2, 1]}), add_heart, refusal)


def test_nobodys_key_meets_anothers() -> None:
    idempotent(request(who="u1"), add_heart, refusal)

    assert not idempotent(request(who="u2"), add_heart, refusal).replayed
    assert Heartbeat.objects.count() == 2


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 15, "x" * 256, "with a space in it", "ключключключключ"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as missing:
        idempotent(request(key=key), add_heart, refusal)

    assert missing.value.code == "idempotency-key-missing"
    assert not Heartbeat.objects.exists()


@pytest.mark.parametrize("key", ["x" * 16, "!" * 255])
def test_the_shortest_and_the_longest_key_serve(key: str) -> None:
    assert idempotent(request(key=key), add_heart, refusal).status == 201


@pytest.mark.parametrize(
    "error", [Conflict("sold.out", "Sold out."), Invalid("too.many", "Too many.")]
)
def test_a_refusal_by_a_rule_is_an_answer_and_its_effects_are_undone(error: DomainError) -> None:
    first = idempotent(request(), refused_with(error), refusal)
    second = idempotent(request(), add_heart, refusal)

    assert first == Answer(error.http_status, {"code": error.code})
    assert second == Answer(error.http_status, {"code": error.code}, replayed=True)
    assert not Heartbeat.objects.exists()


@pytest.mark.parametrize(
    "error", [NotFound("order.unknown", "Unknown."), Denied("order.denied", "Not you.")]
)
def test_an_answer_that_may_change_is_not_kept(error: DomainError) -> None:
    assert idempotent(request(), refused_with(error), refusal).status == error.http_status

    assert not IdempotencyKey.objects.exists()
    assert not Heartbeat.objects.exists()
    assert idempotent(request(), add_heart, refusal).status == 201


def test_a_server_error_is_not_kept_and_the_retry_really_runs() -> None:
    def broken() -> Answer:
        heart_add(name="bad")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        idempotent(request(), broken, refusal)

    assert not IdempotencyKey.objects.exists()
    assert not Heartbeat.objects.exists()
    assert not idempotent(request(), add_heart, refusal).replayed


def test_work_may_call_one_service_only() -> None:
    def greedy() -> Answer:
        heart_add(name="a")
        heart_add(name="b")
        return Answer(201)

    with pytest.raises(ProgrammingMistake):
        idempotent(request(), greedy, refusal)

    assert not Heartbeat.objects.exists()


def test_a_twin_of_a_running_request_is_told_to_come_back() -> None:
    working, go_on = Event(), Event()

    def slow() -> Answer:
        working.set()
        go_on.wait(20)
        return add_heart()

    def first() -> Answer:
        return idempotent(request(), slow, refusal)

    def twin() -> Answer:
        working.wait(20)
        try:
            return idempotent(request(), add_heart, refusal)
        finally:
            go_on.set()

    done, refused = together(first, twin)

    assert isinstance(done, Answer)
    assert isinstance(refused, Conflict)
    assert refused.code == "idempotency-in-progress"
    assert refused.facts == {"retry_after": 1}
    assert Heartbeat.objects.count() == 1
    assert idempotent(request(), add_heart, refusal).replayed


def test_a_crowd_with_one_key_has_one_effect() -> None:
    def ask() -> Answer:
        while True:
            try:
                return idempotent(request(), add_heart, refusal)
            except Conflict:
                continue

    answers = succeeded(together(*[ask] * 12))

    assert Heartbeat.objects.count() == 1
    assert {answer.location for answer in answers} == {"/hearts/heart 1"}
    assert sum(not answer.replayed for answer in answers) == 1


def test_a_lost_race_is_repeated_whole() -> None:
    tries = []

    def racing() -> Answer:
        tries.append(1)
        answer = add_heart()
        if len(tries) == 1:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '40001'; END $$")
        return answer

    assert idempotent(request(), racing, refusal).status == 201
    assert (len(tries), Heartbeat.objects.count()) == (2, 1)


def test_a_lost_connection_is_repeated_whole() -> None:
    tries = []

    def unlucky() -> Answer:
        tries.append(1)
        answer = add_heart()
        if len(tries) == 1:
            terminate_own_connection()
        return answer

    assert idempotent(request(), unlucky, refusal).status == 201
    assert (len(tries), Heartbeat.objects.count()) == (2, 1)


def test_a_connection_lost_in_silence_is_repeated_whole() -> None:
    tries = []

    def unlucky() -> Answer:
        tries.append(1)
        answer = add_heart()
        if len(tries) == 1:
            connection.connection.pgconn.finish()
        return answer

    assert idempotent(request(), unlucky, refusal).status == 201
    assert (len(tries), Heartbeat.objects.count()) == (2, 1)


def test_a_plain_command_is_not_repeated_when_the_connection_is_lost() -> None:
    tries = []

    @command
    def unlucky() -> None:
        tries.append(1)
        terminate_own_connection()

    with pytest.raises(OperationalError):
        unlucky()

    assert len(tries) == 1


def test_the_age_of_a_key_is_kept_for_its_purge() -> None:
    idempotent(request(), add_heart, refusal)

    assert timezone.now() - IdempotencyKey.objects.get().created_at < timedelta(minutes=1)
