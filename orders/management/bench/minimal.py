"""The one view of the minimal server: it writes what a placed order writes, by one call.

It reads nothing and decides nothing. `BENCH_TEMPLATE` names the file with the rows.
"""

import os
from pathlib import Path

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from orders.management.bench.baselines import ONE_CALL, Template

template = Template.from_json(Path(os.environ["BENCH_TEMPLATE"]).read_text())


def place(request: HttpRequest, cart_id: int) -> HttpResponse:
    """Writes an order."""
    with connection.cursor() as cursor:
        cursor.execute(ONE_CALL, [template.fresh(), cart_id, template.stock_item_ids])
    return HttpResponse(headers={"Statements": "1"})


def healthz(request: HttpRequest) -> HttpResponse:
    """Says that it is there."""
    return HttpResponse()


urlpatterns = [path("place/<int:cart_id>", place), path("healthz", healthz)]
