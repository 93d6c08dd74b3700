"""The addresses of delivery."""

from django.urls import path

from delivery.webhooks import carrier_hook

urlpatterns = [path("hooks/carrier/<str:endpoint_id>", carrier_hook, name="carrier-hook")]
