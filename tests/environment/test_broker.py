"""Each broker's transport gets what it needs so that a killed worker loses nothing."""

import psycopg
import pytest
from pgmq.base import PGMQConfig
from psycopg.conninfo import conninfo_to_dict

from config.celery import HARD_LIMIT_SECONDS, app, broker_options, queues


@pytest.mark.parametrize("url", ["pgmq://", "redis://127.0.0.1:6379/0"])
def test_a_lost_message_comes_back_only_after_its_task_must_have_ended(url: str) -> None:
    options = broker_options(url, "postgresql://shop@db/shop")
    assert options["visibility_timeout"] >= 2 * HARD_LIMIT_SECONDS


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://shop@/shop?host=%2Fhome%2Fan%20owner%2Fit%27s%20here",
        "postgresql://shop:a%20b%27c%5Cd@db:6432/shop?sslmode=verify-full&connect_timeout=3",
        "postgresql://shop@db/shop",
    ],
)
def test_the_brokers_client_connects_with_all_that_the_database_was_given(database: str) -> None:
    options = broker_options("pgmq://", database)
    given, kept = (
        conninfo_to_dict(conninfo)
        for conninfo in (database, PGMQConfig(conn_string=options["conn_string"]).dsn)
    )
    defaults = {"port": "5432", "password": ""}
    assert kept == {**defaults, **given}


def test_rabbitmq_keeps_its_queues_on_several_nodes_and_confirms() -> None:
    for queue in queues("amqps://rabbit//"):
        assert vars(queue)["queue_arguments"] == {"x-queue-type": "quorum"}
    assert broker_options("amqps://rabbit//", "")["confirm_publish"]


def test_a_broker_that_is_not_supported_is_refused() -> None:
    with pytest.raises(ValueError, match="sqs"):
        broker_options("sqs://", "")


def test_the_broker_lies_in_the_tests_own_database(process_environment: dict[str, str]) -> None:
    conninfo = PGMQConfig(conn_string=app.conf.broker_transport_options["conn_string"]).dsn
    with psycopg.connect(conninfo) as connection:
        answer = connection.execute("SELECT current_database()").fetchone()
    assert answer
    assert answer[0].startswith("test_")
    assert process_environment["DATABASE_URL"].split("?")[0].endswith(f"/{answer[0]}")
