"""Pages as the shop's are to the middleware: they put facts on the request, and some fail."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TELEPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari/604.1"


def tell(request: HttpRequest, **fact: Any) -> None:
    request.facts.append(fact)  # type: ignore[attr-defined]


def product(request: HttpRequest) -> HttpResponse:
    tell(request, name="view_item", product_id="7", sku_id="8", merchant_id="9", quantity=2)
    return HttpResponse(str(request.session_key_for_figures))  # type: ignore[attr-defined]


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.session_key_for_figures))  # type: ignore[attr-defined]


def refused(request: HttpRequest) -> HttpResponse:
    tell(request, name="add_to_cart")
    return HttpResponse(status=422)


def wrong(request: HttpRequest) -> HttpResponse:
    tell(request, name="view_item", email="ada@example.com")
    return HttpResponse("the page")


urlpatterns = [
    path("product", product),
    path("plain", plain),
    path("refused", refused),
    path("wrong", wrong),
]
