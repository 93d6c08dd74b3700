"""The addresses of the payment channels' notifications."""

from django.urls import path

from payments.webhooks import channel_hook

urlpatterns = [path("hooks/<str:channel>/<str:endpoint_id>", channel_hook, name="channel_hook")]
