"""How a page answers: see other after a POST, 422 with its errors, and nothing kept by anybody."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.views.decorators.http import require_http_methods
from django.views.defaults import page_not_found

from accounts.models import User
from core.errors import NotFound
from shop.errors import PageError

View = Callable[..., HttpResponse]
UNPROCESSABLE = 422


def see_other(to: str, *args: Any) -> HttpResponse:
    """303: whatever was sent, look there now."""
    return HttpResponseRedirect(resolve_url(to, *args), status=303)


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    errors: Sequence[PageError] = (),
) -> HttpResponse:
    """The page; with errors its status is 422 and they stand at its head."""
    status = UNPROCESSABLE if errors else 200
    return render(request, template, context | {"errors": errors}, status=status)


def user_of(request: HttpRequest) -> User | None:
    """Who is logged in."""
    return request.user if request.user.is_authenticated else None


def unstored(view: View) -> View:
    """GET and POST of a page of this visit alone: no cache keeps it."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    return require_http_methods(["GET", "HEAD", "POST"])(answer)


def of_link(view: View) -> View:
    """A page behind an order's signed link: what is not there looks like a wrong key.

    The link is a secret: no cache and no search engine keeps it, and no other site is told of it.
    `same-origin` rather than `no-referrer`, under which browsers send `Origin: null` with a form
    and every POST would look forged.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except NotFound as refusal:
            response = page_not_found(request, refusal)
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    return unstored(answer)
