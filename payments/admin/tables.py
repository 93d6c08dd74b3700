"""What the pages of statements and payouts have in common."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.consoles import Menu
from accounts.consoles.tables import ConsoleModelAdmin

STATE_WORDS = {
    "open": (_("open"), "info"),
    "closed": (_("closed"), "success"),
    "scheduled": (_("scheduled"), "warning"),
    "approved": (_("approved"), "info"),
    "sent": (_("sent"), "info"),
    "paid": (_("paid"), "success"),
    "failed": (_("failed"), "warning"),
}


class MoneyTable(ConsoleModelAdmin):
    """Rows that a merchant's finance people see, and the platform's staff."""

    menu = Menu.MONEY
    list_select_related: Sequence[str] = ("merchant",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        site = self.admin_site
        return site.has_permission(request) and site.may(request, "view_settlement")

    def require_view(self, request: HttpRequest) -> None:
        """Raises PermissionDenied for members of other roles."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def state(self, row: Any) -> SafeString:
        return badge(row.status)


def badge(status: str) -> SafeString:
    """A state in the colour of its kind."""
    words, kind = STATE_WORDS[status]
    return format_html('<span class="badge badge-{}">{}</span>', kind, words)
