"""What the payment sandbox does wrong when it is told to, and that it does it again by its seed."""

import csv
import time
from datetime import UTC, datetime

import httpx
import pytest

from payments.sandbox.faults import Rates

from .conftest import eventually, new_payment


@pytest.fixture
def set_faults(own_payments):
    def set_them(**rates):
        return own_payments.post("/control/faults", **rates)

    return set_them


def pay(sandbox, count=1, **members):
    keys = [
        sandbox.post("/payments", **new_payment("tok_ok", **members))["key"] for _ in range(count)
    ]
    for key in keys:
        eventually(lambda: sandbox.get(f"/payments/{key}")["status"] == "captured")  # noqa: B023
    return keys


def settled(receiver, count):
    """Once that many are taken, and a while later no more than that."""
    eventually(lambda: len(receiver.taken) >= count)
    time.sleep(0.3)
    return len(receiver.taken) == count


def test_faults_are_shown_and_what_is_not_named_ends(own_payments, set_faults):
    set_faults(drop=5, seed="a")
    assert own_payments.get("/control/faults")["drop"] == 5
    set_faults(late=1)
    now = own_payments.get("/control/faults")
    assert (now["drop"], now["late"], now["seed"]) == (0, 1, "")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"drop": -1}, {"drop": 101}, {"drop": True}, {"drop": "5"}, {"seed": 5}, {"bribe": 5}),
        *({"late_seconds": 3601}, {"seed": 101 * "x"}),
    ],
)
def test_a_fault_that_is_none_is_refused_by_name(own_payments, set_faults, wrong):
    code, refusal = own_payments.refused("/control/faults", **wrong)
    assert code == 400
    assert refusal["message"].startswith(next(iter(wrong)))
    assert own_payments.get("/control/faults")["drop"] == 0


def test_dropped_notifications_never_come_and_the_money_is_taken(
    own_payments, own_receiver, set_faults
):
    set_faults(drop=100)
    pay(own_payments, 3)
    set_faults()
    [told] = pay(own_payments)
    own_receiver.wait(told)
    assert settled(own_receiver, 1)
    assert len(own_payments.get("/transactions")["data"]) == 4


def test_duplicates_come_twice_under_one_id(own_payments, own_receiver, set_faults):
    set_faults(duplicate=100)
    [key] = pay(own_payments)
    first, second = own_receiver.wait(key, 2)
    assert first == second


def test_a_seed_says_which_notifications_are_dropped(own_payments, own_receiver, set_faults):
    set_faults(drop=30, seed="again")
    keys = pay(own_payments, 40)
    rates = Rates(drop=30, seed="again")
    told = [key for number, key in enumerate(keys, start=1) if not rates.hits("drop", number)]
    assert 20 <= len(told) <= 36
    assert settled(own_receiver, len(told))
    assert {event["key"] for event in own_receiver.taken} == set(told)


def test_a_delayed_notification_holds_its_payments_others_back(
    own_payments, own_receiver, set_faults
):
    set_faults(delay=100, delay_seconds=0.5)
    payment = own_payments.post("/payments", **new_payment("tok_ok", capture="manual"))
    key = payment["key"]
    eventually(lambda: own_payments.get(f"/payments/{key}")["status"] == "authorised")
    set_faults()
    own_payments.post(f"/payments/{key}/capture")
    own_receiver.wait(key, 2)
    assert own_receiver.kinds(key) == ["payment.authorised", "payment.captured"]


def test_reordered_notifications_are_overtaken(own_payments, own_receiver, set_faults):
    set_faults(reorder=100, delay_seconds=0.7)
    payment = own_payments.post("/payments", **new_payment("tok_ok", capture="manual"))
    key = payment["key"]
    eventually(lambda: own_payments.get(f"/payments/{key}")["status"] == "authorised")
    set_faults()
    own_payments.post(f"/payments/{key}/capture")
    own_receiver.wait(key, 2)
    assert own_receiver.kinds(key) == ["payment.captured", "payment.authorised"]


def test_an_error_after_the_deed_is_no_refusal(own_payments, set_faults):
    set_faults(fail=100)
    body = new_payment("tok_ok")
    assert own_payments.refused("/payments", **body)[0] == 500
    set_faults()
    assert own_payments.get(f"/payments/{body['key']}")["key"] == body["key"]


def test_an_answer_may_come_late(own_payments, set_faults):
    set_faults(late=100, late_seconds=0.6)
    body = new_payment("tok_timeout")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{own_payments.url}/payments", json=body, timeout=0.2, trust_env=False)
    set_faults()
    assert own_payments.get(f"/payments/{body['key']}")["status"] == "processing"


@pytest.mark.parametrize("place", ["answer", "notification", "list"])
def test_each_place_lies_by_itself_and_the_money_stays_what_it_was(
    own_payments, own_receiver, set_faults, place
):
    set_faults(**{f"lie_in_{place}": 100}, seed="liar")
    [key] = pay(own_payments)
    said = {
        "answer": own_payments.get(f"/payments/{key}")["captured_minor"],
        "notification": own_receiver.wait(key)[0]["amount_minor"],
        "list": own_payments.get("/transactions")["data"][0]["amount_minor"],
    }
    assert {name for name, amount_minor in said.items() if amount_minor != 9500} == {place}
    assert said[place] > 0
    set_faults()
    assert own_payments.get("/transactions")["data"][0]["amount_minor"] == 9500


def test_what_lies_about_the_smallest_amount_still_names_one(own_payments, set_faults):
    set_faults(lie_in_list=100)
    pay(own_payments, 5, amount_minor=1)
    listed = [row["amount_minor"] for row in own_payments.get("/transactions")["data"]]
    assert listed == [2, 2, 2, 2, 2]


def day_file(sandbox, day=None):
    day = day or datetime.now(UTC).date().isoformat()
    text = sandbox.http.get(f"/settlements/{day}.csv").raise_for_status().text
    rows = list(csv.DictReader(text.splitlines()))
    return [row for row in rows if row["id"] != "total"], [r for r in rows if r["id"] == "total"]


def sums(row):
    return tuple(int(row[f"{name}_minor"]) for name in ("gross", "fee", "net"))


def test_the_days_file_has_gross_fee_and_net_of_each_movement_and_totals(own_payments):
    [key, _] = pay(own_payments, 2)
    [yen] = pay(own_payments, amount_minor=1000, currency="JPY")
    own_payments.post("/refunds", key="back", payment_key=key, amount_minor=500)
    rows, totals = day_file(own_payments)
    assert [sums(row) for row in rows] == [
        *(2 * [(9500, 158, 9342)]),
        (1000, 39, 961),
        (-500, 0, -500),
    ]
    assert rows[2]["key"] == yen
    assert {row["currency"]: sums(row) for row in totals} == {
        "EUR": (18500, 316, 18184),
        "JPY": (1000, 39, 961),
    }
    assert day_file(own_payments, "2020-01-01") == ([], [])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", []),
        ("extra", [(9500, 158, 9342), (1234, 42, 1192)]),
        ("amount", [(9600, 158, 9442)]),
        ("fee", [(9500, 161, 9339)]),
    ],
)
def test_a_difference_is_planted_in_the_file_alone_and_taken_back(own_payments, kind, expected):
    pay(own_payments)
    day = datetime.now(UTC).date().isoformat()
    [row], _ = day_file(own_payments)
    own_payments.post("/control/settlements", day=day, kind=kind, ref=row["ref"])
    rows, totals = day_file(own_payments)
    assert [sums(each) for each in rows] == expected
    assert [sums(each) for each in totals] == [tuple(map(sum, zip(*expected)))] * bool(expected)  # noqa: B905
    assert len(own_payments.get("/transactions")["data"]) == 1
    own_payments.post("/control/settlements", day=day, kind="none")
    assert day_file(own_payments)[0] == [row]


@pytest.mark.parametrize(
    "wrong",
    [{"day": "yesterday"}, {"kind": "theft"}, {"ref": "pay_unknown"}, {"day": None}],
)
def test_a_difference_that_cannot_be_planted_is_refused_by_name(own_payments, wrong):
    pay(own_payments)
    [row], _ = day_file(own_payments)
    day = datetime.now(UTC).date().isoformat()
    body = {"day": day, "kind": "fee", "ref": row["ref"]} | wrong
    code, refusal = own_payments.refused("/control/settlements", **body)
    assert code == 400
    assert refusal["message"].startswith(next(iter(wrong)))
    assert own_payments.http.get("/settlements/tomorrow.csv").status_code == 400
