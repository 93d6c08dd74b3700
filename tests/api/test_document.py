"""The OpenAPI document: committed as the code says, served, and shown by a page of our own."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern

from config.api import urlpatterns
from core.api import ApiView
from tests.environment.conftest import REPOSITORY

ROOT = "/api/v1"


def test_the_committed_document_is_what_the_code_says(tmp_path: Path) -> None:
    written = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", f"--file={written}")
    assert (REPOSITORY / "docs" / "openapi.yaml").read_text() == written.read_text()


def test_every_resource_stands_in_the_served_document(client: Client) -> None:
    document = client.get(f"{ROOT}/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        f"{ROOT}/{str(pattern.pattern).replace('<str:', '{').replace('>', '}')}"
        for pattern in urlpatterns
        if is_resource(pattern)
    }


def is_resource(pattern: URLPattern) -> bool:
    return hasattr(pattern.callback, "cls") and pattern.name != "nothing"


def test_every_method_of_a_resource_is_declared_with_its_refusals(client: Client) -> None:
    paths = client.get(f"{ROOT}/openapi.json").json()["paths"]
    declared = [operation for path in paths.values() for operation in path.values()]
    assert len(declared) == 38
    for operation in declared:
        statuses = set(operation["responses"])
        assert statuses >= {"400", "401", "403", "500", "503"}
        assert ("422" in statuses) or not operation.get("requestBody")


def test_what_is_sent_to_us_is_closed_in_the_document(client: Client) -> None:
    schemas = client.get(f"{ROOT}/openapi.json").json()["components"]["schemas"]
    inputs = {name for name in schemas if name.endswith("In")}
    assert len(inputs) >= 8
    assert [name for name in inputs if schemas[name]["additionalProperties"] is not False] == []


def test_its_page_runs_files_of_our_own_only(client: Client) -> None:
    page = client.get(f"{ROOT}/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "<style" not in text
    assert text.count("<script ") == text.count('<script src="/static/')


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_document_can_only_be_read(client: Client, path: str) -> None:
    assert client.post(f"{ROOT}{path}").status_code == 405


def test_every_view_of_the_api_is_one_of_ours() -> None:
    views = [pattern.callback.cls for pattern in urlpatterns if hasattr(pattern.callback, "cls")]
    assert [view for view in views if not issubclass(view, ApiView)] == []
