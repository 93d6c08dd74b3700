"""Lists and pages of rows that only show. Deny by default: a merchant sees its own rows or none."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib.admin import ShowFacets, SimpleListFilter
from django.db.models import Field, Model, Q, QuerySet
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from unfold import paginator as unfold_paginator
from unfold.admin import ModelAdmin

from accounts.consoles.acts import Act, act_page
from accounts.consoles.sites import ConsoleSite, Menu, merchant_site, platform_site
from accounts.permissions import own

ROWS_PER_PAGE = 50
LAST_PAGE = 200


class InfinitePaginator(unfold_paginator.InfinitePaginator):  # type: ignore[misc]
    """Counts nothing and ends after 200 pages: who looks for more needs a search or a filter.

    Unfold's templates leave the number of results out where the class has this name.
    """

    count = ROWS_PER_PAGE * LAST_PAGE


class ConsoleModelAdmin(ModelAdmin):  # type: ignore[misc]
    """A list and a page per row. What can be done stands in `acts`; Django's own editing is off."""

    admin_site: ConsoleSite
    acts: ClassVar[tuple[type[Act], ...]] = ()
    menu: ClassVar[Menu]
    icon: ClassVar[str] = "table"
    label: ClassVar[str] = ""  # in the sidebar, where the model's own plural reads badly

    ordering: Sequence[str] = ("-pk",)
    list_filter: Sequence[type["ChoiceFilter"]] = ()
    change_form_template = "console/record.html"
    paginator = InfinitePaginator
    list_per_page = ROWS_PER_PAGE
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by = ()
    list_filter_sheet = False

    def scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the rows that may be seen; nothing unless a console says more."""
        return rows.none()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.scope(request, super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest, *given: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.admin_site.has_permission(request) and self.admin_site.may(request, "view")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None: Django's would delete what is ticked."""
        return {}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' own names, which are no fields; no other condition may be asked for."""
        return lookup in {filter_class.parameter_name for filter_class in self.list_filter}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.replace("\0", "").strip()
        return (self.found(queryset, term) if term else queryset), False

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """The rows that a word means exactly, by an index; none unless a table says more."""
        return rows.none()

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        kwargs["queryset"] = self._choices(db_field, request)
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(
            db_field, request, **kwargs
        )
        return field

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        kwargs["queryset"] = self._choices(db_field, request)
        field: ModelChoiceField[Any] | None = super().formfield_for_manytomany(
            db_field, request, **kwargs
        )
        return field

    def _choices(self, db_field: "Field[Any, Any]", request: HttpRequest) -> QuerySet[Any]:
        """What this console shows of the other table; of a table that it does not show, nothing."""
        model = db_field.related_model
        assert isinstance(model, type), "a relation names its model"
        table = self.admin_site._registry.get(model)  # noqa: SLF001 Django offers no other look-up
        if isinstance(table, ConsoleModelAdmin):
            return table.get_queryset(request)
        return model._default_manager.none()

    def row(self, request: HttpRequest, object_id: str) -> Any:
        """The row, if it may be seen. Raises Http404 as if there were none."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def row_url(self, row: Model) -> str:
        """The row's own page."""
        return reverse(
            f"admin:{row._meta.app_label}_{row._meta.model_name}_change",
            args=[row.pk],
            current_app=self.admin_site.name,
        )

    def offered(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """What may be done with the row now, by whom it is: links to pages that do it."""
        may = self.admin_site.may
        acts = [act(self.admin_site.role) for act in self.acts if may(request, act.verb)]
        return [
            {"act": act, "url": f"{self.row_url(row)}{act.verb}/"}
            for act in acts
            if act.is_legal(row) and act.has_effect(row)
        ]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own_pages = [
            path(
                f"<path:object_id>/change/{act.verb}/",
                self.admin_site.admin_view(self._page_of(act)),
                name=f"{name}_{act.verb}",
            )
            for act in self.acts
        ]
        return [*own_pages, *super().get_urls()]

    def _page_of(self, act: type[Act]) -> Any:
        def page(request: HttpRequest, object_id: str) -> HttpResponse:
            return act_page(self, act(self.admin_site.role), request, object_id)

        return page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        offers = self.offered(request, self.row(request, object_id))
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {"offers": offers, **(extra_context or {})}
        )
        return page


class TenantModelAdmin(ConsoleModelAdmin):
    """The only base of the merchants' tables: every row is the merchant's that one works for.

    `tenant_field` is the way from the row to its merchant's id.
    """

    tenant_field = "merchant_id"

    def scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return own(rows, actor=self.admin_site.actor(request), field=self.tenant_field)


class PlatformModelAdmin(ConsoleModelAdmin):
    """The base of the platform's tables: staff see every row."""

    def scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows


class ChoiceFilter(SimpleListFilter):
    """A filter whose choices are fixed words, so that they tell of no other merchant's rows."""

    field: ClassVar[str] = ""
    options: ClassVar[list[tuple[str, Any]]] = []

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return self.options

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() in {value for value, _words in self.options}
        return queryset.filter(self.wanted(str(self.value()))) if chosen else queryset

    def wanted(self, value: str) -> Q:
        """The rows of that choice."""
        return Q(**{self.field: value})


merchant_site.tables = TenantModelAdmin
platform_site.tables = PlatformModelAdmin
