"""Keys, bad input, and what a broken request leaves behind: nothing."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from .conftest import Sandbox, new_payment

UNKNOWN = "/payments/" + 32 * "0"


def test_the_same_key_gets_the_same_payment(payments: Sandbox):
    body = new_payment()
    first = payments.http.post("/payments", json=body)
    second = payments.http.post("/payments", json=body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["action_url"] == f"{payments.url}/pay/{first.json()['ref']}"


@pytest.mark.parametrize("other", [{"amount_minor": 9501}, {"currency": "USD"}])
def test_another_amount_under_a_key_is_refused(payments, other):
    payment = payments.post("/payments", **(body := new_payment()))
    code, refusal = payments.refused("/payments", **(body | other))
    assert (code, refusal["error"]) == (409, "key_reused")
    assert payments.get(f"/payments/{body['key']}") == payment


def test_twenty_at_once_under_one_key_make_one_payment(payments, receiver):
    body = new_payment("tok_ok")

    def create(_: int) -> httpx.Response:
        return httpx.post(f"{payments.url}/payments", json=body, trust_env=False)

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(create, range(20)))
    assert sorted(answer.status_code for answer in answers) == [*([200] * 19), 201]
    assert len({answer.json()["ref"] for answer in answers}) == 1
    receiver.wait(body["key"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": None},
        {"key": ""},
        {"key": "two words"},
        {"key": "nul\0"},
        {"key": 256 * "k"},
        {"key": 5},
        {"amount_minor": None},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 9.5},
        {"amount_minor": "9500"},
        {"amount_minor": True},
        {"amount_minor": 2**53 + 1},
        {"amount_minor": 2**63},
        {"currency": None},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"currency": "EUR\n"},
        {"currency": 978},
        {"expires_at": None},
        {"expires_at": "soon"},
        {"expires_at": "2026-01-31T12:00:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": 1769860800},
        {"return_url": None},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "http://shop.example/\r\nSet-Cookie: a=b"},
        {"return_url": "http://shop.example" + 3000 * "/"},
        {"token": "tok_unknown"},
        {"token": ["tok_ok"]},
        {"capture": "sometimes"},
    ],
)
def test_bad_input_is_refused_by_name_and_opens_nothing(payments, wrong):
    key = new_payment()["key"]
    code, refusal = payments.refused("/payments", **(new_payment(key=key) | wrong))
    assert (code, refusal["error"]) == (400, "bad_request")
    assert refusal["message"].startswith(f"{next(iter(wrong))} must be ")
    assert payments.http.get(f"/payments/{key}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"amount_minor": NaN}',
        b'{"amount_minor": ' + 5000 * b"9" + b"}",
        b'{"amount_minor": 1e400}',
        b'{"key": "\\ud800"}',
        10_000 * b"[",
        b"",
    ],
)
def test_what_is_no_json_object_of_a_payment_is_refused(payments, body):
    answer = payments.http.post("/payments", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]


@pytest.mark.parametrize("size_bytes", [64 * 1024 + 1, 900_000])
def test_a_huge_body_is_refused(payments, size_bytes):
    with closing(HTTPConnection(urlsplit(payments.url).netloc)) as connection:
        connection.request("POST", "/payments", body=size_bytes * b" ")
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"65536" in answer.read()


def test_a_body_of_the_largest_size_is_read(payments):
    body = json.dumps(new_payment()).encode().ljust(64 * 1024)
    assert payments.http.post("/payments", content=body).status_code == 201


def test_a_body_without_its_length_is_refused(payments):
    assert payments.http.post("/payments", content=iter([b"{}"])).status_code == 400


@pytest.mark.parametrize("length", ["-2", "two", "1e3", 5000 * "9"])
def test_a_length_that_is_none_is_refused(payments, length):
    with closing(HTTPConnection(urlsplit(payments.url).netloc)) as connection:
        connection.request("POST", "/payments", headers={"Content-Length": length})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (400, "close")


def test_what_is_not_http_is_refused(payments):
    with socket.create_connection(("127.0.0.1", urlsplit(payments.url).port)) as connection:
        connection.sendall(b"\xff\x00 nonsense\r\n\r\n")
        assert b"bad_http" in connection.makefile("rb").read()
    assert payments.http.get("/healthz").status_code == 200


def test_a_refused_request_leaves_its_connection_usable(payments):
    with httpx.Client(base_url=payments.url, trust_env=False) as client:
        for _ in range(3):
            assert client.post("/nowhere", content=b"{broken").status_code == 404
            assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", UNKNOWN),
        ("GET", "/payments/%00%ff"),
        ("POST", UNKNOWN + "/capture"),
        ("POST", UNKNOWN + "/close"),
        ("GET", "/refunds/unknown"),
        ("GET", "/"),
        ("GET", "/payments/a/b/c"),
    ],
)
def test_what_does_not_exist_is_not_found(payments, method, path):
    answer = payments.http.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_release_of_an_unknown_key_is_not_found(payments):
    assert payments.refused("/control/release", key="unknown")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status_code"),
    [("GET", "/payments", 405), ("POST", "/healthz", 405), ("DELETE", UNKNOWN, 501)],
)
def test_another_method_is_refused(payments, method, path, status_code):
    answer = payments.http.request(method, path)
    assert answer.status_code == status_code
    assert answer.json()["message"]


def test_a_key_with_reserved_characters_is_found(payments):
    body = new_payment(key="late:1/2?3&4#5%" + new_payment()["key"])
    payments.post("/payments", **body)
    path = "/payments/late%3A1%2F2%3F3%264%235%25" + body["key"][15:]
    assert payments.get(path)["key"] == body["key"]
