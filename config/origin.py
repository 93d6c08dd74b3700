"""What comes in names its edge and its request, and every answer names the request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from core.origin import coming_from, request_id_of

# By the address of the URL map; what is none of these is the shop's.
EDGES = {
    "/api/": "api",
    "/merchant/": "console",
    "/platform/": "console",
    "/hooks/": "hook",
}


def edge_of(path: str) -> str:
    """web, api, console or hook."""
    return next((edge for prefix, edge in EDGES.items() if path.startswith(prefix)), "web")


class OriginMiddleware:
    """The outermost: an answer that another middleware gives is named, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_of(request.headers.get("X-Request-Id", ""))
        with coming_from(edge_of(request.path), request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
