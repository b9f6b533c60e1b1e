"""All settings, from the environment alone; `.env.example` lists and explains each of them.

A secret may be given as a file instead: NAME_FILE holds the path (container secrets). Mistakes are found by the system
checks in `stigg_zuora.checks`, each with a hint.
"""

from pathlib import Path

import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF

from stigg_zuora.environment import Environment
from stigg_zuora.logs import configured

BASE_DIR = Path(__file__).resolve().parent.parent
# Django's generics become subscriptable at run time, as the type checker already takes them.
django_stubs_ext.monkeypatch()

env = Environment()
env.read_env(BASE_DIR / ".env")
#: Variables that hold something else than they should; the system checks name them.
UNREADABLE_SETTINGS = env.unreadable

VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="")
#: Fernet keys, newest first: the first encrypts, all decrypt. `manage.py rotate_encryption_key` rewrites old secrets.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: Where people reach this deployment; it is written into Zuora's stiggEntityUrl fields.
PUBLIC_URL = env("PUBLIC_URL", default="http://localhost:8000").rstrip("/")
#: Served over TLS by a proxy in front: secure cookies, HSTS and redirects to https.
HTTPS = env.bool("HTTPS", default=PUBLIC_URL.startswith("https://"))

INSTALLED_APPS = [
    "catalog",
    "customers",
    "subscriptions",
    "usage",
    "integrations",
    "stigg_zuora",
    "axes",
    "csp",
    "django_htmx",
    "django_prometheus",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "stigg_zuora.health.ProbeMiddleware",
    "stigg_zuora.requests.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "stigg_zuora.requests.ReturningLoginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "stigg_zuora.urls"
WSGI_APPLICATION = "stigg_zuora.wsgi.application"
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
    },
]

# --- Database: SQLite embedded, PostgreSQL grown up ---------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)  # connections of one process, to PostgreSQL
# A save and its job row commit together (see integrations.receivers), so every request is one transaction.
DATABASES["default"]["ATOMIC_REQUESTS"] = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue up instead of failing half-way: web, worker and beat are processes of their own.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # Seconds. While the database is away each request waits so long, and so many threads with it: soon nothing would be
    # answered, not even that it is. Nor is it tried less and less often, so that it is found as soon as it is back.
    DATABASES["default"]["OPTIONS"] = {
        "pool": {"min_size": 0, "max_size": max(DATABASE_POOL_SIZE, 1), "timeout": 5, "reconnect_timeout": 5},
    }
    # What a restart of the database has closed is handed to nobody.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# SQLite leaves out what an index holds beside its columns: it reads that from the rows.
SILENCED_SYSTEM_CHECKS = ["models.W040"]

# --- Redis: broker, shared Zuora token, concurrency budget --------------------------------------------------------
REDIS_URL = env("REDIS_URL", default=f"unix://{VAR_DIR / 'redis.sock'}")
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://") if REDIS_URL.startswith("unix://") else REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
# A message only wakes somebody: delivering it twice is harmless, losing it costs a sweep. Acknowledged early, as many
# more would lie in a worker whose threads are busy, and a click would wait behind them.
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False  # the row is the truth; a beat sweeps up what was not rung
# Queues are read in this order: a click goes before usage, usage before changes, changes before a backfill.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "queue_order_strategy": "priority",
    "socket_connect_timeout": 1,
    "socket_timeout": 5,  # a broker that hangs must not hang whoever saves
    "visibility_timeout": 3600,
}
CELERY_TASK_DEFAULT_QUEUE = "changes"
CELERY_TIMEZONE = "UTC"

# --- The sync -----------------------------------------------------------------------------------------------------
#: Zuora REST or UI addresses beside Zuora's own data centres: the stand-in's, for the demo and tests.
ZUORA_EXTRA_HOSTS = env.list("ZUORA_EXTRA_HOSTS", default=[])
#: Comes before every key that we give an object in Zuora, so that two deployments on one tenant do not collide.
ZUORA_KEY_PREFIX = env("ZUORA_KEY_PREFIX", default="stigg")
#: Addresses of Stigg's API beside Stigg's own: of another deployment that is to be imported.
STIGG_EXTRA_HOSTS = env.list("STIGG_EXTRA_HOSTS", default=[])
#: So many calls a minute an import makes at the most, in each process; Stigg allows 1,500 lists of subscriptions.
STIGG_CALLS_PER_MINUTE = env.float("STIGG_CALLS_PER_MINUTE", default=600.0)
ZUORA_CONCURRENCY = env.int("ZUORA_CONCURRENCY", default=40)
ZUORA_CONCURRENCY_HIGH_VOLUME = env.int("ZUORA_CONCURRENCY_HIGH_VOLUME", default=200)
ZUORA_CONCURRENCY_OBJECT_QUERY = env.int("ZUORA_CONCURRENCY_OBJECT_QUERY", default=80)
ZUORA_TIMEOUT_SECONDS = env.float("ZUORA_TIMEOUT_SECONDS", default=125.0)  # Zuora's gateway gives up after 120
#: Large pushes of new usage may go in files, whose dates Zuora reads as the API user's locale writes them; "": never.
ZUORA_USAGE_FILE_DATES = env("ZUORA_USAGE_FILE_DATES", default="")
#: From so many new records on, and only where Zuora's calls of the day are scarce, or always.
ZUORA_USAGE_FILE_LEAST = env.int("ZUORA_USAGE_FILE_LEAST", default=1000)
ZUORA_USAGE_FILE_ALWAYS = env.bool("ZUORA_USAGE_FILE_ALWAYS", default=False)
#: A save waits this long before it is sent, so that a burst of saves becomes one push.
SYNC_SETTLE_SECONDS = env.float("SYNC_SETTLE_SECONDS", default=0.2)
SYNC_SWEEP_SECONDS = env.float("SYNC_SWEEP_SECONDS", default=5.0)
#: How often usage that waits for another attempt is sent, and what was accepted read back.
USAGE_SWEEP_SECONDS = env.float("USAGE_SWEEP_SECONDS", default=60.0)
#: After this a claimed job whose worker says nothing is given back; longer than any delivery can take.
SYNC_CLAIM_SECONDS = env.float("SYNC_CLAIM_SECONDS", default=900.0)
SYNC_MAX_ATTEMPTS = env.int("SYNC_MAX_ATTEMPTS", default=12)
REQUEST_LOG_DAYS = env.int("REQUEST_LOG_DAYS", default=30)

# --- The API ------------------------------------------------------------------------------------------------------
#: Requests a minute that one API key may send, by what it asks (see integrations.api.operation); 0: no limit.
API_RATE_LIMITS = {
    "write": env.int("API_LIMIT_WRITE", default=250),
    "read": env.int("API_LIMIT_READ", default=3000),
    "list": env.int("API_LIMIT_LIST", default=1500),
    "coupon": env.int("API_LIMIT_COUPON", default=500),
    "usage": env.int("API_LIMIT_USAGE", default=3000),
    "history": env.int("API_LIMIT_HISTORY", default=250),
}

CELERY_BEAT_SCHEDULE = {
    # Those that nobody took in time are worth nothing: the next one does their work.
    "sweep": {
        "task": "integrations.sweep",
        "schedule": SYNC_SWEEP_SECONDS,
        "options": {"expires": SYNC_SWEEP_SECONDS, "queue": "click"},
    },
    "count": {
        "task": "integrations.count",
        "schedule": 10.0,
        "options": {"expires": 10, "queue": "click"},
    },
    "take-effect": {
        "task": "integrations.take_effect",
        "schedule": crontab(),  # each minute; what takes effect does so as of its own moment
        "options": {"expires": 60, "queue": "changes"},
    },
    "reconcile": {"task": "integrations.reconcile", "schedule": crontab(hour=2, minute=17)},
    "purge": {"task": "integrations.purge", "schedule": crontab(hour=3, minute=43)},
    # A few minutes past the hour: what was used at its end has been reported by then, and later usage is not lost.
    "usage": {
        "task": "integrations.usage_hourly",
        "schedule": crontab(minute=4),
        "options": {"expires": 3600, "queue": "usage"},
    },
    "usage-sweep": {
        "task": "integrations.usage_sweep",
        "schedule": USAGE_SWEEP_SECONDS,
        "options": {"expires": USAGE_SWEEP_SECONDS, "queue": "usage"},
    },
    "usage-reconcile": {
        "task": "integrations.usage_reconcile",
        "schedule": crontab(hour=4, minute=29),
        "options": {"queue": "usage"},
    },
}

# --- People -------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "locked_out.html"

# --- Safe by default ----------------------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# --- Language, files, logs ----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
#: Collected and named by digest for a deployment; without it static files are served from where they lie.
STATIC_HASHED = env.bool("STATIC_HASHED", default=False)
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")) if STATIC_HASHED else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_HASHED
        else "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}
WHITENOISE_USE_FINDERS = not STATIC_HASHED

LOG_LEVEL = env.choice("LOG_LEVEL", choices=("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL"))
LOG_FORMAT = env.choice("LOG_FORMAT", choices=("text", "json"))
LOGGING = configured(level=LOG_LEVEL, form=LOG_FORMAT)
