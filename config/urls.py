"""The whole URL map."""

from django.conf import settings
from django.urls import include, path, re_path
from django.views.static import serve

from accounts.consoles import merchant_site, platform_site
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("account/", include("allauth.urls")),
    path("api/v1/", include("config.api")),
    path("merchant/", merchant_site.urls),
    path("platform/", platform_site.urls),
    path("", include("delivery.urls")),  # before the channels, whose hooks end in any name
    path("", include("payments.urls")),
    path("", include("shop.urls")),
]

# Pictures of the catalogue; production's proxy serves them from MEDIA_ROOT.
if settings.DEMO:
    urlpatterns.append(
        re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT})
    )
