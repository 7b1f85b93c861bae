"""One settings file. Values that differ between installations come from the environment (docs/configuration.md lists each)."""

import sys
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.templatetags.static import static
from django.urls import reverse_lazy

from apps.core.logs import logging_config
from notifier import env
from notifier.pools import BESIDE, SHARES

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.flag("NOTIFIER_DEBUG", False)
SECRET_KEY = env.text("NOTIFIER_SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("NOTIFIER_SECRET_KEY_FALLBACKS")
ENCRYPTION_KEYS = env.keys("NOTIFIER_ENCRYPTION_KEYS")
HASH_KEYS = env.keys("NOTIFIER_HASH_KEYS")
ALLOWED_HOSTS = env.words("NOTIFIER_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
PUBLIC_URL = env.url("NOTIFIER_PUBLIC_URL", "http://127.0.0.1:8000", schemes=("http", "https")).rstrip("/")
STREAM_URL = env.url("NOTIFIER_STREAM_URL", "http://127.0.0.1:8001", schemes=("http", "https")).rstrip("/")
SANDBOX_URL = env.url("NOTIFIER_SANDBOX_URL", "http://127.0.0.1:8002", schemes=("http", "https")).rstrip("/")
SANDBOX_SECRET = env.text("NOTIFIER_SANDBOX_SECRET", "")
ADMIN_PASSWORD = env.text("NOTIFIER_ADMIN_PASSWORD", "")
SANDBOX_STORE = Path(env.text("NOTIFIER_SANDBOX_STORE", str(BASE_DIR / ".local" / "sandbox.sqlite3")))
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
WEBHOOK_ALLOWED_NETWORKS = env.networks(env.words("NOTIFIER_WEBHOOK_ALLOWED_NETWORKS"))
INBOX_ORIGINS = frozenset(origin.rstrip("/").lower() for origin in env.words("NOTIFIER_INBOX_ORIGINS"))

DATABASE_URL = env.url("DATABASE_URL", schemes=("postgres", "postgresql"))
_database = urlsplit(DATABASE_URL)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_database.path.lstrip("/")),
        "USER": unquote(_database.username or ""),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": dict(parse_qsl(_database.query)).get("host", _database.hostname or ""),
        "PORT": str(_database.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "tcp_user_timeout": 10_000,
            "prepare_threshold": env.integer("NOTIFIER_DATABASE_PREPARE_AFTER", 1) or None,
            "options": (
                f"-c statement_timeout={env.integer('NOTIFIER_DATABASE_STATEMENT_TIMEOUT_MS', 30_000)}"
                f" -c lock_timeout={env.integer('NOTIFIER_DATABASE_LOCK_TIMEOUT_MS', 2_000)}"
                " -c idle_in_transaction_session_timeout=10000"
            ),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss", "unix"))
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
_redis_broker = urlsplit(CELERY_BROKER_URL).scheme in {"redis", "rediss", "redis+socket"}
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_connections": 50,
        "global_keyprefix": "ntf:",
    }
    if _redis_broker
    else {"confirm_publish": True}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = "system"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# when each was sent last, noted every few seconds: after each it was half of beat's work, and ten commits a second
CELERY_BEAT_SYNC_EVERY = 30
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    # admin modules are loaded by notifier/urls.py: only the web process pays for them
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "anymail",
    "apps.core",
    "apps.tenants",
    "apps.events",
    "apps.audience",
    "apps.preferences",
    "apps.templates",
    "apps.ledger",
    "apps.inbox",
    "apps.channels",
    "apps.routing",
    "apps.dispatch",
    "apps.ingest",
    "apps.receipts",
    "apps.pages",
    "apps.schedules",
    "apps.insights",
    "apps.webhooks",
    "apps.campaigns",
]

MIDDLEWARE = [
    "apps.core.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.middleware.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "apps.core.middleware.PageCsrf",
    "apps.core.middleware.PageUsers",
    "apps.core.middleware.PageMessages",
    "apps.core.admin_gate.AdminGate",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "notifier.urls"
WSGI_APPLICATION = "notifier.wsgi.application"
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
            ],
        },
    }
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("NOTIFIER_STATIC_ROOT", str(BASE_DIR / ".local" / "static")))
WHITENOISE_USE_FINDERS = DEBUG
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

AUTHENTICATION_BACKENDS = ["apps.tenants.memberships.MembershipBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("NOTIFIER_BEHIND_TLS_PROXY", False) else None
X_FRAME_OPTIONS = "DENY"

API_BODY_LIMIT = 256 * 1024
API_BATCH_BODY_LIMIT = 5 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = API_BATCH_BODY_LIMIT
IDEMPOTENCY_TTL_HOURS = env.integer("NOTIFIER_IDEMPOTENCY_TTL_HOURS", 72, low=1)
LEASE_SECONDS = env.integer("NOTIFIER_LEASE_SECONDS", 30, low=1)
QUEUE_SHARES = SHARES
WORK_QUEUES = list(BESIDE.values())
# a queue in which it is rung for those who have little: the queue of their work
QUEUES_BESIDE = BESIDE
LEDGER_RETENTION_DAYS = env.integer("NOTIFIER_LEDGER_RETENTION_DAYS", 90, low=1)
SOFT_BOUNCE_LIMIT = env.integer("NOTIFIER_SOFT_BOUNCE_LIMIT", 5)
SOFT_BOUNCE_DAYS = env.integer("NOTIFIER_SOFT_BOUNCE_DAYS", 7)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.tenants.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.tenants.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["apps.tenants.throttles.KeyAndTenantThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.core.bodies.JsonOnly",
    "DEFAULT_PARSER_CLASSES": ["apps.core.bodies.RawBodyParser"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.bodies.JsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "apps.core.openapi.Schema",
    "EXCEPTION_HANDLER": "apps.core.problems.handle_exception",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Notifier API",
    "DESCRIPTION": "One event in; push, email, SMS and in-app out: once, in time, only if wanted.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "deepLinking": True},
    "COMPONENT_SPLIT_REQUEST": False,
    "POSTPROCESSING_HOOKS": ["apps.core.openapi.add_conventions"],
    "AUTHENTICATION_WHITELIST": [
        "apps.tenants.authentication.ApiKeyAuthentication",
        "apps.inbox.authentication.InboxTokenAuthentication",
        "apps.receipts.api.OptionalInboxToken",
    ],
}

EMAIL_TIMEOUT = 10
UNFOLD = {
    "SITE_TITLE": "Notifier",
    "SITE_HEADER": "Notifier",
    "SITE_SYMBOL": "notifications",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("core/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("core/admin.css")],
    "SCRIPTS": [lambda request: static("core/admin.js")],
    "DASHBOARD_CALLBACK": "apps.core.admin_panels.home",
    "SIDEBAR": {"navigation": "notifier.sidebar.navigation"},
}

LOGGING = logging_config(
    level=env.text("NOTIFIER_LOG_LEVEL", "INFO"),
    as_json=env.flag("NOTIFIER_LOG_JSON", not sys.stderr.isatty()),
)

env.check()
