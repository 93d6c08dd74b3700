"""The addresses of the payment channels' notifications."""

from django.urls import path

from payments.webhooks import sandbox_hook

urlpatterns = [path("hooks/sandbox/<str:endpoint_id>", sandbox_hook, name="sandbox_hook")]
