"""What a refusal looks like on a page, wherever it was raised."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse

from core.errors import Denied, DomainError, NotFound

PAGES = {NotFound: "404.html", Denied: "403.html"}


class RefusalPages:
    """A DomainError that a view lets through becomes its page; a form with errors answers 422."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """404 and 403 in their usual words; the others with the sentence of the refusal."""
        if not isinstance(error, DomainError):
            return None
        page = PAGES.get(type(error), "shop/refused.html")
        return render(request, page, {"refusal": error}, status=error.http_status)

    def process_template_response(
        self, request: HttpRequest, response: SimpleTemplateResponse
    ) -> SimpleTemplateResponse:
        """The pages of accounts come from a library that answers 200 to wrong input."""
        match = request.resolver_match
        form = (response.context_data or {}).get("form")
        ours = match and (match.url_name or "").startswith("account_")
        if ours and request.method == "POST" and getattr(form, "errors", None):
            response.status_code = 422
        return response
