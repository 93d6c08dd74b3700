"""The funnel for people: the console's page, and the command that recounts it."""

import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from analytics import funnels
from analytics.funnels import SHOP
from core import clock
from tests.analytics.histories import Seen, store
from tests.consoles.world import staff_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    return staff_client()


def visits(*lengths: int, days_ago: int = 0) -> None:
    """A visit for each number, which goes so many steps, a minute each."""
    noon = clock.now().replace(hour=0, minute=5) - timedelta(days=days_ago)
    store(
        Seen(f"{days_ago}-{number}", name, noon + timedelta(minutes=step), device="mobile")
        for number, length in enumerate(lengths)
        for step, name in enumerate(SHOP.steps[:length])
    )


def cells(client: Client, **asked: str) -> list[list[str]]:
    """The words in the rows of the page's first table."""
    page = client.get("/platform/funnel/", asked).content.decode()
    table = page.split("<table", 2)[1].split("</table>")[0]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)[1:]
    return [
        [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row.split("</td>")[:-1]]
        for row in rows
    ]


def test_the_page_shows_counts_shares_and_losses(staff: Client) -> None:
    visits(5, 3, 2, 1)
    assert cells(staff, span="today") == [
        ["Saw an article", "4", "", "100.00%", "–", "–"],
        ["Put it into the basket", "3", "", "75.00%", "75.00%", "1"],
        ["Began the checkout", "2", "", "50.00%", "66.67%", "1"],
        ["Chose how to pay", "1", "", "25.00%", "50.00%", "1"],
        ["Paid", "1", "", "25.00%", "100.00%", "0"],
    ]


def test_the_bars_are_as_long_as_the_shares(staff: Client) -> None:
    visits(5, 3, 2, 1)
    page = staff.get("/platform/funnel/").content.decode()
    assert re.findall(r'<rect width="(\d+)"', page) == ["1000", "750", "500", "250", "250"]
    assert "at most 0:04:00" in page
    assert "mobile" in page


def test_a_range_takes_the_visits_that_began_in_it(staff: Client) -> None:
    for days_ago in (0, 6, 7, 29, 30):
        visits(1, days_ago=days_ago)
    entered = {span: cells(staff, span=span)[0][1] for span in ("today", "7", "30")}
    assert entered == {"today": "1", "7": "2", "30": "4"}
    day = str(clock.now().date() - timedelta(days=7))
    assert cells(staff, span="dates", first=day, last=day)[0][1] == "1"


def test_days_on_which_nobody_came_have_no_shares(staff: Client) -> None:
    assert cells(staff)[-1] == ["Paid", "0", "", "–", "–", "0"]
    assert "Nobody has gone the whole way." in staff.get("/platform/funnel/").content.decode()


@pytest.mark.parametrize(
    "asked",
    [
        {"span": "dates"},
        {"span": "dates", "first": "2026-02-01", "last": "2026-01-01"},
        {"span": "dates", "first": "2024-01-01", "last": "2026-01-01"},
        {"span": "dates", "first": "<script>", "last": "2026-01-01"},
        {"span": "dates", "first": "9999-12-31", "last": "9999-12-31"},
        {"span": "for ever"},
    ],
)
def test_days_that_make_no_range_are_refused_with_a_reason(
    staff: Client, asked: dict[str, str]
) -> None:
    answer = staff.get("/platform/funnel/", asked)
    assert answer.status_code == 422
    assert "<table" not in answer.content.decode()
    assert "<script>" not in answer.content.decode().partition("<form")[2].partition("</form>")[0]


def test_the_page_has_no_style_or_script_of_its_own(staff: Client) -> None:
    visits(5)
    page = staff.get("/platform/funnel/").content.decode()
    own = page[page.index('<form method="get"') : page.index("manage.py funnel")]
    assert "style=" not in own
    assert "<script" not in own


def test_the_numbers_cost_one_statement(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    visits(5, 3)
    with django_assert_max_num_queries(5) as queries:  # session, user, code, clock, funnel
        staff.get("/platform/funnel/")
    assert sum("analytics_event" in query["sql"] for query in queries) == 1


def test_strangers_are_sent_to_the_login() -> None:
    assert Client().get("/platform/funnel/").status_code == 302


def told(*arguments: str) -> Any:
    out = StringIO()
    call_command("funnel", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_says_what_the_page_shows() -> None:
    visits(5, 3, 2, 1)
    given = json.loads(told("--json", "--recount"))
    assert [step["count"] for step in given["steps"]] == [4, 3, 2, 1, 1]
    assert given["steps"][2] == {
        "event": "begin_checkout",
        "count": 2,
        "overall": "0.5000",
        "step": "0.6667",
        "drop": 1,
    }
    assert (given["median_s"], given["by_device"]) == (240, {"mobile": [4, 3, 2, 1, 1]})
    assert told("--recount").splitlines()[3].split() == [
        "begin_checkout",
        "2",
        "0.5000",
        "0.6667",
        "1",
    ]


def test_a_recount_that_differs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    visits(5, 3, 2, 1)
    monkeypatch.setattr(funnels, "ACTORS", funnels.ACTORS.replace("WHERE s1", "WHERE s2"))
    with pytest.raises(CommandError, match="differs") as failure:
        told("--recount")
    assert failure.value.returncode == 1
