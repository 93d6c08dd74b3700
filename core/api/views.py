"""The view that all resources are: scopes, strict parameters, request ids, keyed requests."""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import problems
from core.api.fields import Query, not_found
from core.errors import Denied, DomainError, Invalid
from core.idempotency import Answer, fingerprint_of, idempotent, scope_of
from core.idempotency import Request as KeyedRequest
from core.origin import origin

R = TypeVar("R")

LARGEST_BODY_BYTES = 256 * 1024


class JsonParser(BaseParser):
    """JSON in UTF-8 of a sane size and depth."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(LARGEST_BODY_BYTES + 1)
        if len(body) > LARGEST_BODY_BYTES:
            raise problems.BodyTooLarge
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is no JSON that we can read.")) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class OnlyJson(BaseContentNegotiation):
    """There is one way to answer, so nobody has to ask for it."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        given = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == given), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class HasScope(BasePermission):
    """The caller must have the scope that the view names for the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises NotAuthenticated, Denied `scope-missing`."""
        principal: Any = request.auth
        if principal is None:
            raise NotAuthenticated
        method = "GET" if request.method == "HEAD" else request.method
        scope = getattr(view, "scopes", {}).get(method)
        if scope and scope not in principal.scopes:
            raise Denied("scope-missing", _("This needs a scope that you don't have."), scope=scope)
        return True


class ApiView(APIView):
    """A resource. `scopes` and `queries` say what each method needs and understands."""

    scopes: ClassVar[Mapping[str, str]] = {}
    queries: ClassVar[Mapping[str, type[Query]]] = {}
    http_method_names = ["get", "head", "post", "patch", "delete"]
    permission_classes = [HasScope]
    parser_classes = [JsonParser]
    content_negotiation_class = OnlyJson

    @property
    def request_id(self) -> str:
        """The name of the request: the caller's, or the one that it was given at the door."""
        return origin().request_id

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuses whom it does not serve, then parameters that it does not know.

        What it can't do at all is refused after this, whatever the parameters.
        """
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return
        query = self.queries.get(request.method)
        known = set(query().fields) if query else set()
        if unknown := sorted(set(request.query_params) - known):
            raise Invalid(
                "unknown-parameter",
                _("There is no such parameter."),
                fields={name: [_("There is no such parameter.")] for name in unknown},
            )

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """No answer is kept by those between us and the caller."""
        response.headers.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    def queried(self, request: Request) -> dict[str, Any]:
        """The checked parameters. Raises ValidationError."""
        checked = self.queries[request.method or ""](data=request.query_params)
        checked.is_valid(raise_exception=True)
        values: dict[str, Any] = checked.validated_data
        return values

    def keyed(
        self,
        request: Request,
        work: Callable[[], R],
        present: Callable[[R], Any],
        *,
        status: int = 200,
        location: Callable[[R], str] | None = None,
    ) -> Response:
        """Does `work`, which calls one service, once per Idempotency-Key; a replay says so.

        Raises what `core.idempotency.idempotent` raises.
        """

        def answer() -> Answer:
            done = work()
            where = location(done) if location else ""
            return Answer(status, problems.plain(present(done)), where)

        given = idempotent(self._keyed_request(request), answer, self._refusal(request))
        refused = given.status >= 400
        response = Response(
            given.body,
            status=given.status,
            content_type=problems.MEDIA_TYPE if refused else None,
        )
        if given.location:
            response["Location"] = given.location
        if given.replayed:
            response["Idempotent-Replayed"] = "true"
        return response

    def _keyed_request(self, request: Request) -> KeyedRequest:
        match = request.resolver_match
        assert match is not None, "a request that came by an address"
        method = request.method or ""
        principal: Any = request.auth
        return KeyedRequest(
            scope=scope_of(
                principal=principal.name,
                tenant=principal.tenant,
                method=method,
                route=match.view_name,
            ),
            key=request.headers.get("Idempotency-Key", ""),
            fingerprint=fingerprint_of(
                method=method,
                path=request.get_full_path(),
                content_type="application/json",
                body=request.data,
            ),
        )

    def _refusal(self, request: Request) -> Callable[[DomainError], Answer]:
        about = problems.about_request(request.path, self.request_id)

        def refused(error: DomainError) -> Answer:
            body = problems.body_of(about, **problems.refusal(error))
            return Answer(body["status"], body)

        return refused


class Nothing(ApiView):
    """Any address under the API that leads nowhere."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises NotFound, whoever asks and how."""
        raise not_found()
