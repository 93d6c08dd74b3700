"""Every setting: from the environment, or a literal with its reason beside it."""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Where this runs. Production is neither: DEBUG is for one developer's browser, DEMO for the demo
# and the tests (demo users, a clock that can be moved, plain HTTP on this machine).
DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=False)
STATE_DIR = Path(env("STATE_DIR", default=str(BASE_DIR / "var")))
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}")
# A test's means to die at a named point; no place for it elsewhere.
CRASH_AT = env("CRASH_AT", default="")

SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "core",
    "accounts",
    "catalog",
    "payments",
    "inventory",
    "delivery",
    "orders",
    "shop",
    "analytics",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_celery_beat",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "treebeard",
]

MIDDLEWARE = [
    "config.origin.OriginMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "analytics.middleware.AnalyticsMiddleware",
    "config.csp.ConsoleCSPMiddleware",
    "shop.middleware.RefusalPages",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context.frame",
            ],
        },
    },
]

# Database: a request that waits longer than this for a lock, a statement or its own code gives up.
STATEMENT_TIMEOUT_MS = env.int("DATABASE_STATEMENT_TIMEOUT_MS", default=10_000)

PREPARE = env.bool("DATABASE_PREPARE", default=True)


def database_options(given: dict[str, Any]) -> dict[str, Any]:
    """The URL's own options, our timeouts, and a pool where DATABASE_POOL names its size."""
    timeouts = (
        f"-c lock_timeout=3000 -c statement_timeout={STATEMENT_TIMEOUT_MS}"
        " -c idle_in_transaction_session_timeout=15000"
    )
    options = {**given, "options": f"{given.get('options', '')} {timeouts}".strip()}
    # Bound and prepared by the server: a statement that comes often is planned once. A pooler that
    # hands each transaction to another session needs it off.
    options["server_side_binding"] = PREPARE
    options["prepare_threshold"] = 2 if PREPARE else None
    # For web processes only: Celery closes the pool at the end of each task.
    if pool_size := env.int("DATABASE_POOL", default=0):
        options["pool"] = {"min_size": 1, "max_size": pool_size}
    return options


# The parts of a page are read at once, on connections of their own; off, one after the other on the
# request's: tests in a transaction need it so, for no other connection sees what that has written.
PARALLEL_LOADING = env.bool("PARALLEL_LOADING", default=True)

DATABASE_URL = env("DATABASE_URL")
DATABASES = {"default": env.db_url("DATABASE_URL")}
database = DATABASES["default"]
database["HOST"] = database.get("OPTIONS", {}).pop("host", database["HOST"])
database["OPTIONS"] = database_options(database.get("OPTIONS", {}))
# Kept for the life of the process; the pool keeps its own.
database["CONN_MAX_AGE"] = 0 if "pool" in database["OPTIONS"] else None
database["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The broker's default is the database itself: nothing more to run.
BROKER_URL = env("BROKER_URL", default="pgmq://")
# What hints at a deadline beside the scan (orders/triggers.py): message, listener.
EXPIRY_TRIGGERS = env.list("EXPIRY_TRIGGERS", default=[])
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CSRF_FAILURE_VIEW = "shop.views.csrf.stale_form"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "shop.adapter.ShopAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# Beside allauth's own, that logins are counted by: wrong codes of vouchers, by visitor and by basket.
ACCOUNT_RATE_LIMITS = {"voucher": "10/5m/key", "voucher_visitor": "20/5m/ip"}
ACCOUNT_EMAIL_VERIFICATION = env("ACCOUNT_EMAIL_VERIFICATION", default="optional")
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_TOTP_ISSUER = "Quayside"

# The consoles (accounts/consoles): two sites in one dress.
UNFOLD = {
    "SITE_TITLE": "Quayside",
    "SITE_HEADER": "Quayside",
    "SITE_SUBHEADER": "accounts.consoles.sites.subheader",
    "SITE_SYMBOL": "anchor",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "accounts.consoles.sites.environment",
    "STYLES": ["accounts.consoles.sites.stylesheet"],
    "SIDEBAR": {"navigation": "accounts.consoles.navigation"},
    # The shop's accent, from its lightest shade to its darkest.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 215)",
            "100": "oklch(94% .025 215)",
            "200": "oklch(88% .045 215)",
            "300": "oklch(80% .07 215)",
            "400": "oklch(72% .09 215)",
            "500": "oklch(62% .095 215)",
            "600": "oklch(46% .075 215)",
            "700": "oklch(40% .068 215)",
            "800": "oklch(35% .06 215)",
            "900": "oklch(30% .05 215)",
            "950": "oklch(23% .04 215)",
        },
    },
}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Quayside <no-reply@localhost>")

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.ApiKeyAuthentication",
        "accounts.api.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "core.api.problems.handle",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Quayside",
    "VERSION": "1",
    "DESCRIPTION": "Orders of a marketplace: what a shop front, a merchant's system and the"
    " platform's own programs read and do. Ids are text, money is in minor units, times are UTC.",
    "LICENSE": {"name": "BSD-3-Clause"},
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "POSTPROCESSING_HOOKS": ["core.api.schema.finished"],
}

# Times are stored and computed in UTC; pages show them in the reader's zone.
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]

# The demo serves files as they lie; production collects, hashes and compresses them once.
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = None if DEMO else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEMO
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = env("MEDIA_ROOT", default=str(STATE_DIR / "media"))
MEDIA_URL = "media/"

# Everything but the demo is served by HTTPS, behind a proxy that says so.
SECURE = not (DEMO or DEBUG)
SECURE_SSL_REDIRECT = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
X_FRAME_OPTIONS = "DENY"

# Pages run no script and show no style but those of our own files.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# Order numbers (core/ids.py): the key that scrambles them must never change.
ORDER_NUMBER_KEY = env("ORDER_NUMBER_KEY")
ORDER_NUMBER_STRATEGY = env("ORDER_NUMBER_STRATEGY", default="business")

# The auditor leaves what is younger than this to the processes that are just handling it.
AUDIT_GRACE_SECONDS = env.int("AUDIT_GRACE_SECONDS", default=60)
# A shipped order that no scan has delivered is taken as delivered after this; stuck is 30 days.
DELIVERED_BY_CLOCK_AFTER_DAYS = env.int("DELIVERED_BY_CLOCK_AFTER_DAYS", default=21)
# How long after the payment a merchant has to ship, until methods of delivery promise a day.
SHIP_WITHIN_HOURS = env.int("SHIP_WITHIN_HOURS", default=72)
# A payout of more than this many minor units (of whatever currency) takes the word of two people.
PAYOUT_SECOND_PERSON_ABOVE_MINOR = env.int("PAYOUT_SECOND_PERSON_ABOVE_MINOR", default=100_000)
# Whom the monitor tells of alarms; and what a reader of /metrics from elsewhere must know.
MONITOR_MAILS = env.list("MONITOR_MAILS", default=[])
METRICS_TOKEN = env("METRICS_TOKEN", default="")

# When a channel that can do both takes promised money, `stripe=shipment`: once, shipment, delivery.
PAYMENT_CAPTURE_AT = env.dict("PAYMENT_CAPTURE_AT", default={})
# The most that may be paid at the door, in minor units per currency (`EUR=50000`); others: nothing.
CASH_ON_DELIVERY_MOST = env.dict("CASH_ON_DELIVERY_MOST", default={"EUR": 50_000})

# A refund by hand above this, in minor units, waits for a second person.
REFUND_LIMIT_MINOR = env.int("REFUND_LIMIT_MINOR", default=50_000)

# The sandboxes: what they are reached by, and the secrets of their notifications (first signs).
SANDBOX_ENDPOINT_ID = env("SANDBOX_ENDPOINT_ID", default="")
SANDBOX_PAYMENT_URL = env("SANDBOX_PAYMENT_URL", default=f"http://127.0.0.1:{PORT + 1}")
SANDBOX_PAYMENT_SECRETS = env.list("SANDBOX_PAYMENT_SECRETS", default=[])
SANDBOX_CARRIER_URL = env("SANDBOX_CARRIER_URL", default=f"http://127.0.0.1:{PORT + 2}")
SANDBOX_CARRIER_SECRETS = env.list("SANDBOX_CARRIER_SECRETS", default=[])

# Stripe: without a key it is not offered. Its secrets are those of the endpoint that its dashboard
# has under /hooks/stripe/STRIPE_ENDPOINT_ID; more than one while they rotate.
STRIPE_API_KEY = env("STRIPE_API_KEY", default="")
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRETS", default=[])
STRIPE_ENDPOINT_ID = env("STRIPE_ENDPOINT_ID", default="")
STRIPE_API_BASE = env("STRIPE_API_BASE", default="https://api.stripe.com")
# Whether the account may capture in parts (Stripe's "multicapture", by contract): else at once only.
STRIPE_MULTICAPTURE = env.bool("STRIPE_MULTICAPTURE", default=False)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        # It tells of every request that went well.
        "httpx": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
        # And this of every letter of a font that it prints with.
        "fontTools": {"level": "WARNING"},
        # What a visitor typed wrong, or asked for in vain, is no trouble of ours.
        "django.request": {"level": "ERROR"},
    },
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
}
