"""Where channels notify us: verify, store, answer; `hook_process` does the rest later."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from core.hooks import receive
from payments.channels.base import channel_named, endpoint_id_of


@csrf_exempt
def channel_hook(request: HttpRequest, channel: str, endpoint_id: str) -> HttpResponse:
    """A channel's endpoint; a channel that has none, and an id that is not ours, are nowhere."""
    ours = endpoint_id_of(channel)
    if not ours or not constant_time_compare(endpoint_id, ours):
        raise Http404
    return receive(
        request,
        channel=channel,
        verify=channel_named(channel).verify,
        event_type="payment_hook.received",
    )
