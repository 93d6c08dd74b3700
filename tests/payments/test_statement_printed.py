"""The page, the CSV, the PDF and the API tell the numbers of the ledger, and the same ones."""

import csv
import re
import zlib
from io import StringIO
from itertools import pairwise

import pytest
from django.test import Client

from accounts.keys import api_key_create
from accounts.models import Merchant
from core.export import csv_of
from payments.models import LedgerEntry, Statement, StatementEntry
from payments.printed import statement_csv, statement_pdf, sum_check
from payments.services.payee import payout_hold
from payments.statements import Line, sheet_of
from tests.consoles.world import member_client, page, staff_client
from tests.factories import TESTER, make_merchant
from tests.factories.money import make_sent_refund, say_of_refund
from tests.factories.settlement import (
    end_period,
    give_account,
    last_statement,
    make_payout,
    paid,
    sell,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def statement() -> Statement:
    """A second one, with something in all that a merchant's trade has."""
    merchant = make_merchant(name="=Łódź & Αθήνα; Москва", slug="lodz")
    give_account(merchant)
    paid(make_payout(merchant))
    payment = sell(merchant, 50_500, delivery_minor=500)
    say_of_refund(make_sent_refund(payment, 10_050), "refund_succeeded")
    sell(merchant, 999)
    end_period()
    return last_statement(merchant)


def from_ledger(merchant: Merchant) -> dict[str, int]:
    """Straight from the entries, without the code that is under test."""
    sums: dict[str, int] = {}
    names = {"escrow": "sales", "refunds_in_flight": "refunds", "commission_income": "commission"}
    entries = LedgerEntry.objects.filter(
        merchant=merchant, transaction__entries__listed__statement=last_statement(merchant)
    )
    for entry in entries.select_related("account", "transaction").distinct():
        name = names.get(entry.account.code, "")
        if entry.transaction.kind.startswith("payout"):
            name = "payouts" if entry.account.code == "payouts_in_flight" else ""
        if name:
            sums[name] = sums.get(name, 0) + entry.amount_minor
    return sums


def texts_of(pdf: bytes) -> list[str]:
    """The texts of a PDF in their order; fonts name their letters in a map of their own."""
    found = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    maps = [_letters(stream.decode()) for stream in found if b"beginbfchar" in stream]
    packed = [zlib.decompress(stream) for stream in found if stream[:1] == b"x"]
    told = []
    for stream in [stream for stream in packed if b" Tj" in stream]:
        font: dict[int, str] = {}
        for name, text in re.findall(rb"/F(\d+) [\d.]+ Tf|\((.*?)(?<!\\)\) Tj", stream, re.DOTALL):
            if name:
                font = maps[int(name) - 1]
            elif font:
                told.append(_decoded(text, font))
    return told


def squeezed(text: str) -> str:
    """Without the spaces, of which a broken line keeps none."""
    return "".join(text.split())


def _letters(cmap: str) -> dict[int, str]:
    pairs = re.findall(r"<([0-9A-F]{4})> <([0-9A-F]{4,8})>", cmap)
    return {int(code, 16): bytes.fromhex(letter).decode("utf-16-be") for code, letter in pairs}


def _decoded(text: bytes, font: dict[int, str]) -> str:
    escapes = {b"\\\\": b"\\", b"\\(": b"(", b"\\)": b")", b"\\r": b"\r"}
    raw = re.sub(rb"\\[\\()r]", lambda found: escapes[found[0]], text)
    codes = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    return "".join(font.get(code, "?") for code in codes)


def test_page_csv_pdf_and_api_tell_what_the_ledger_says(statement: Statement) -> None:
    sheet = sheet_of(statement)
    ledger = from_ledger(statement.merchant)
    numbers = {name: minor for name, _words, minor in sheet.rows()}
    assert numbers["sales"] + numbers["delivery"] == ledger["sales"] == 51_499
    for name in ("refunds", "commission", "payouts"):
        assert numbers[name] == ledger[name], name
    assert numbers["opening"] == 90_000

    rows = list(csv.reader(StringIO(statement_csv(sheet).removeprefix("\ufeff"))))
    in_csv = {row[0]: row[1] for row in rows if len(row) == 2}
    by_section: dict[str, int] = {}
    for row in rows[[row[:1] for row in rows].index(["entry"]) + 1 :]:
        by_section[row[2]] = by_section.get(row[2], 0) + round(float(row[-1]) * 100)
    words = texts_of(statement_pdf(sheet))
    in_pdf = dict(reversed(list(pairwise(words))))  # the numbers, not the entries behind them
    answer = member_client(statement.merchant).get(page(statement))
    on_page = {str(number["words"]): number["amount"] for number in answer.context["numbers"]}
    in_api = {number["name"]: number["amount"] for number in asked(statement)["numbers"]}

    for name, shown, minor in sheet.rows():
        told = f"{minor / 100:.2f}"
        assert in_csv[name] == told
        assert in_pdf[str(shown)] == on_page[str(shown)] == f"{told} EUR"
        assert in_api[name] == minor
        assert by_section.get(name, 0) == (0 if name in ("opening", "closing") else minor)
    assert squeezed(sum_check(sheet)) in squeezed("".join(words))
    assert sum_check(sheet) in answer.content.decode()


def asked(statement: Statement) -> dict:
    return client_of(statement.merchant).get(f"/api/v1/statements/{statement.pk}").json()


def client_of(merchant: Merchant | None, *scopes: str) -> Client:
    key = api_key_create(
        merchant_id=merchant.pk if merchant else None,
        name="test",
        scopes=scopes or ["settlements:read"],
        actor=TESTER,
    )
    return Client(headers={"Authorization": f"Bearer {key.secret}"})


def test_the_letters_of_a_merchants_name_are_printed(statement: Statement) -> None:
    told = "".join(texts_of(statement_pdf(sheet_of(statement))))
    assert squeezed(statement.merchant.name) in squeezed(told)


def test_a_name_that_begins_like_a_formula_is_none_in_a_spreadsheet(statement: Statement) -> None:
    rows = list(csv.reader(StringIO(statement_csv(sheet_of(statement)))))
    assert ["merchant", "'=Łódź & Αθήνα; Москва"] in rows
    assert csv_of([["@a", "-1", -1, "a-1", "\tx"]]) == "\ufeff'@a,'-1,-1,a-1,'\tx\r\n"


def test_a_sum_that_is_not_the_closing_balance_is_told_on_all_of_them(
    statement: Statement,
) -> None:
    Statement.objects.filter(pk=statement.pk).update(closing_minor=1)
    statement.refresh_from_db()
    sheet = sheet_of(statement)
    assert not sheet.agrees
    assert "tell the platform" in sum_check(sheet)
    assert "telltheplatform" in squeezed("".join(texts_of(statement_pdf(sheet))))
    assert asked(statement)["sum_agrees"] is False
    assert "console-wrong" in staff_client().get(page(statement, site="platform")).content.decode()


def test_a_long_statement_is_printed_in_part_and_says_so(
    statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.printed.MOST_LINES", 3)
    words = "".join(texts_of(statement_pdf(sheet_of(statement))))
    assert "moreentriesstandintheCSV" in squeezed(words)


def test_each_number_opens_its_entries_a_page_at_a_time(
    statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.admin.statements.LINES_PER_PAGE", 2)
    client = member_client(statement.merchant)
    links = [n["url"] for n in client.get(page(statement)).context["numbers"] if n["url"]]
    assert len(links) == 5  # sales, delivery, refunds, commission, payouts
    for link in links:
        seen: list[Line] = []
        query, figure = link.partition("?")[2], ""
        while query:
            answer = client.get(f"{link.partition('?')[0]}?{query}")
            seen += [row["line"] for row in answer.context["lines"]]
            figure, after = answer.context["figure"], answer.context["next_after"]
            query = f"section={answer.context['section']}&after={after}" if after else ""
        assert f"{sum(line.amount_minor for line in seen) / 100:.2f} EUR" == figure
        assert len({line.id for line in seen}) == len(seen)
    everything = client.get(f"{page(statement)}entries/?section=nonsense&after=x")
    assert everything.context["section"] == ""
    assert len(everything.context["lines"]) == 2


@pytest.mark.parametrize(
    ("role", "status"),
    [("owner", 200), ("manager", 200), ("finance", 200), ("fulfilment", 403), ("read_only", 403)],
)
def test_only_some_members_see_the_money(statement: Statement, role: str, status: int) -> None:
    client = member_client(statement.merchant, role)
    for view in ("", "entries", "csv", "pdf"):
        assert client.get(page(statement, view)).status_code == status, view
    payout = statement.payouts.get()
    assert client.get(page(payout)).status_code == status
    assert client.get("/merchant/payments/payout/").status_code == status


def test_another_merchants_statement_is_nowhere(statement: Statement) -> None:
    other = make_merchant()
    client, program = member_client(other), client_of(other)
    for view in ("", "entries", "csv", "pdf"):
        assert client.get(page(statement, view)).status_code == 404, view
    for path in (f"statements/{statement.pk}", f"statements/{statement.pk}/statement.csv"):
        assert program.get(f"/api/v1/{path}").status_code == 404
    assert program.get(f"/api/v1/payouts/{statement.payouts.get().pk}").status_code == 404
    assert program.get("/api/v1/statements").json()["data"] == []


def test_the_api_lists_page_by_page_and_gives_the_csv(statement: Statement) -> None:
    client = client_of(statement.merchant)
    first = client.get("/api/v1/statements?limit=1").json()
    assert first["has_more"]
    second = client.get(f"/api/v1/statements?limit=1&cursor={first['next_cursor']}").json()
    assert first["data"][0]["number"] != second["data"][0]["number"]
    answer = client.get(f"/api/v1/statements/{statement.pk}/statement.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.decode() == statement_csv(sheet_of(statement))
    [payout, _first] = client.get("/api/v1/payouts").json()["data"]
    assert (payout["state"], payout["account"]) == ("scheduled", "")


def test_a_program_of_the_platform_approves_and_holds(statement: Statement) -> None:
    payout = statement.payouts.get()
    client = client_of(None, "settlements:read", "settlements:write")
    path, key = f"/api/v1/payouts/{payout.pk}", {"Idempotency-Key": "k" * 20}

    def post(verb: str, body: dict) -> tuple[int, dict]:
        answer = client.post(f"{path}/{verb}", body, "application/json", headers=key)
        return answer.status_code, answer.json()

    assert post("approve", {})[0] == 200
    assert client.get(path).json()["state"] == "approved"
    key["Idempotency-Key"] = "h" * 20
    assert post("hold", {"reason": "a check"})[0] == 200
    key["Idempotency-Key"] = "i" * 20
    status, refusal = post("hold", {"reason": "another"})
    assert (status, refusal["code"]) == (409, "hold-held")
    own = client_of(statement.merchant)
    assert own.post(f"{path}/approve", {}, "application/json", headers=key).status_code == 403


def test_an_open_statement_says_when_the_next_payout_is_and_why_not(statement: Statement) -> None:
    merchant = statement.merchant
    opened = Statement.objects.get(merchant=merchant, status="open")
    assert "next payout is scheduled on" in asked(opened)["reason"]
    payout_hold(merchant_id=merchant.pk, reason="papers", until=None, actor=TESTER)
    assert "on hold: papers" in asked(opened)["reason"]
    assert asked(opened)["closing"] is None


def test_what_is_listed_is_listed_once(statement: Statement) -> None:
    listed = StatementEntry.objects.values_list("entry_id", flat=True)
    assert len(set(listed)) == len(listed) == 5
