"""The one exception from the strict policy: what unfold's Alpine needs, in the consoles only."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

CONSOLES = ("/merchant/", "/platform/")
RELAXED = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}


class ConsoleCSPMiddleware(CSPMiddleware):
    """The settings' policy everywhere; in the consoles computed scripts and inline styles too."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path.startswith(CONSOLES):
            parts.replace = {**(parts.replace or {}), **RELAXED}
        return parts
