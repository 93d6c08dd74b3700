"""What placing over HTTP costs at least: Django with one view and no middleware."""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

django.setup(set_prefix=False)  # which wants the middleware that is not run
settings.MIDDLEWARE = []
settings.ROOT_URLCONF = "orders.management.bench.minimal"
application = WSGIHandler()
