"""Who comes into which console, as whom, and what it offers there."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Model, TextChoices
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.sites import UnfoldAdminSite

from accounts.actors import Actor, Role
from accounts.models import MerchantMember, User
from accounts.permissions import member_may, merchant_actor

CHOSEN_MERCHANT = "console_merchant"


class Menu(TextChoices):
    """The groups of the sidebar, from the top."""

    ORDERS = "orders", _("Orders")
    GOODS = "goods", _("Goods")
    MONEY = "money", _("Money")
    PEOPLE = "people", _("People")
    KERNEL = "kernel", _("Machine room")


@dataclass(frozen=True, slots=True)
class Page:
    """A page beside the tables, that another app brings: `view(request, site=…)` shows it."""

    name: str  # its address too
    title: str | Promise
    icon: str
    menu: Menu
    view: Callable[..., HttpResponse]
    verb: str = "view"  # for whoever may do that


@dataclass(frozen=True, slots=True)
class Figure:
    """A number on the first page that somebody has to do something about, and where."""

    label: str
    count: int
    url: str


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    """An admin site that allows nothing by Django's permission tables and logs in by allauth."""

    index_template = "console/index.html"
    index_title = _("Overview")
    enable_nav_sidebar = True
    role: Role

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.tables: type = object  # what every table here derives from; `tables.py` says it
        self.pages: list[Page] = []
        self.figures: list[Callable[[HttpRequest], Iterable[Figure]]] = []

    @abstractmethod
    def actor(self, request: HttpRequest) -> Actor:
        """Whom services shall know for the one who does something here."""

    @abstractmethod
    def may(self, request: HttpRequest, verb: str) -> bool:
        """True where who is logged in may do that with the rows that are shown."""

    @abstractmethod
    def tenant(self, request: HttpRequest) -> str:
        """For whom something is done here: a part of the scope of one-time tokens."""

    @abstractmethod
    def turn_away(self, request: HttpRequest, target: str) -> HttpResponse:
        """Where to send a user who is logged in and has no way in yet. Raises PermissionDenied."""

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type | None = None,
        **options: Any,
    ) -> None:
        """Raises ImproperlyConfigured for a table that does not derive from the site's own base."""
        if admin_class is None or not issubclass(admin_class, self.tables):
            raise ImproperlyConfigured(f"{admin_class} is no {self.tables.__name__}")
        super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[URLPattern]:
        """The pages and Django's, without the redirect to any object's own page."""
        pages = [
            path(f"{page.name}/", self.admin_view(partial(page.view, site=self)), name=page.name)
            for page in self.pages
        ]
        urls = super().get_urls()
        return pages + [url for url in urls if getattr(url, "name", "") != "view_on_site"]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        cast("Any", request).current_app = self.name
        context: dict[str, Any] = super().each_context(request)
        return context

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        figures = [figure for figures in self.figures for figure in figures(request)]
        page: HttpResponse = super().index(request, {"figures": figures, **(extra_context or {})})
        return page

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Nothing: unfold's answer is kept per user and word, whatever console and merchant."""
        return HttpResponse()

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Leads on, to allauth's login, or to what is still missing."""
        target = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
            target = reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        if not request.user.is_authenticated:
            return led_to("account_login", target)
        return self.turn_away(request, target)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_change_password"))

    def menu(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The sidebar, from what is registered."""
        groups: dict[Menu, list[dict[str, Any]]] = {menu: [] for menu in Menu}
        for model, table in self._registry.items():
            if table.has_view_permission(request):
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
                groups[table.menu].append(
                    {
                        "title": table.label or capfirst(model._meta.verbose_name_plural),
                        "icon": table.icon,
                        "link": reverse(name, current_app=self.name),
                    }
                )
        for page in self.pages:
            if not self.may(request, page.verb):
                continue
            link = reverse(f"admin:{page.name}", current_app=self.name)
            groups[page.menu].append({"title": page.title, "icon": page.icon, "link": link})
        first = {
            "title": _("Overview"),
            "icon": "dashboard",
            "link": reverse("admin:index", current_app=self.name),
            "active": request.path == reverse("admin:index", current_app=self.name),
        }
        return [{"items": [first]}] + [
            {"title": menu.label, "separator": True, "items": items}
            for menu, items in groups.items()
        ]


def led_to(page: str, target: str) -> HttpResponseRedirect:
    """To one of allauth's pages, and from there on to the target."""
    return HttpResponseRedirect(
        f"{reverse(page)}?{urlencode({REDIRECT_FIELD_NAME: target}, safe='/')}"
    )


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of the console that the request is in; named in the settings."""
    site = {site.name: site for site in (merchant_site, platform_site)}[
        cast("Any", request).current_app
    ]
    return site.menu(request)


def environment(request: HttpRequest) -> list[str] | None:
    """The label of what must not be taken for the real shop; named in the settings."""
    return ["DEMO", "warning"] if settings.DEMO else None


def stylesheet(request: HttpRequest) -> str:
    """Our own pages' dress; named in the settings."""
    return static("console/console.css")


def subheader(request: HttpRequest) -> str:
    """For whom one works here; named in the settings."""
    if cast("Any", request).current_app == platform_site.name:
        return str(_("Platform"))
    member = member_of(request)
    return member.merchant.name if member else ""


def memberships(request: HttpRequest) -> list[MerchantMember]:
    """For whom the user works, in a steady order; read once per request."""
    if not hasattr(request, "memberships"):
        rows = MerchantMember.objects.filter(user_id=request.user.pk or 0).select_related(
            "merchant"
        )
        cast("Any", request).memberships = list(rows.order_by("pk"))
    found: list[MerchantMember] = cast("Any", request).memberships
    return found


def member_of(request: HttpRequest) -> MerchantMember | None:
    """As whom the user works now: the membership chosen, or else the first."""
    rows = memberships(request)
    chosen = request.session.get(CHOSEN_MERCHANT)
    return next((row for row in rows if str(row.merchant_id) == chosen), rows[0] if rows else None)


class MerchantSite(ConsoleSite):
    """Where a member works for one merchant at a time."""

    role = Role.MERCHANT

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and member_of(request))

    def actor(self, request: HttpRequest) -> Actor:
        member = member_of(request)
        if member is None:
            raise PermissionDenied
        return merchant_actor(merchant_id=member.merchant_id, user_id=member.user_id)

    def may(self, request: HttpRequest, verb: str) -> bool:
        member = member_of(request)
        return member is not None and member_may(member, verb)

    def tenant(self, request: HttpRequest) -> str:
        member = member_of(request)
        return f"merchant:{member.merchant_id}" if member else "nobody"

    def turn_away(self, request: HttpRequest, target: str) -> HttpResponse:
        raise PermissionDenied

    def get_urls(self) -> list[URLPattern]:
        switch = self.admin_view(require_POST(self.switch))
        return [path("switch/", switch, name="switch"), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        rows = memberships(request) if request.user.is_authenticated else []
        return {**super().each_context(request), "memberships": rows if len(rows) > 1 else []}

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Works for another merchant of the user's from now on; an unknown one changes nothing."""
        wanted = request.POST.get("merchant", "")
        if wanted in {str(row.merchant_id) for row in memberships(request)}:
            request.session[CHOSEN_MERCHANT] = wanted
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))


class PlatformSite(ConsoleSite):
    """Where the platform's staff see everything, once this session has shown a one-time code."""

    role = Role.STAFF

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(is_staff(request.user) and has_shown_code(request))

    def actor(self, request: HttpRequest) -> Actor:
        return Actor(Role.STAFF, f"user:{request.user.pk}")

    def may(self, request: HttpRequest, verb: str) -> bool:
        return self.has_permission(request)

    def tenant(self, request: HttpRequest) -> str:
        return "platform"

    def turn_away(self, request: HttpRequest, target: str) -> HttpResponse:
        if not is_staff(request.user):
            raise PermissionDenied
        has_totp = is_mfa_enabled(request.user)
        return led_to("mfa_reauthenticate" if has_totp else "mfa_activate_totp", target)


def is_staff(user: Any) -> bool:
    """True for an active user of the platform's staff."""
    return isinstance(user, User) and user.is_active and user.is_staff


def has_shown_code(request: HttpRequest) -> bool:
    """True where the user has a second factor and this session was opened, or renewed, with it.

    A page asks dozens of times; the answer holds for the request.
    """
    if not hasattr(request, "has_shown_code"):
        cast("Any", request).has_shown_code = is_mfa_enabled(request.user) and any(
            record.get("method") == "mfa"
            for record in get_authentication_records(request, request.user)
        )
    return bool(cast("Any", request).has_shown_code)


merchant_site = MerchantSite("merchant")
platform_site = PlatformSite("platform")
