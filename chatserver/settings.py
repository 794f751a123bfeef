"""All settings, read once from the environment. A bad value stops the start with one clear sentence."""

import os
import re
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from chatserver.attachments_url import attachments_secrets, attachments_storage
from chatserver.email_url import email_settings
from chatserver.env import Environment
from chatserver.logs import logging_config
from chatserver.model_servers import Configured, ModelServerSpec
from chatserver.providers_file import read_providers
from chatserver.redis_url import caches, channel_layers, redis_secrets, redis_url
from chatserver.sealing import SHORTEST
from chatserver.storage import database, kept_secret

env = Environment()
ROOT = Path(__file__).resolve().parent.parent

# --- where it runs -------------------------------------------------------------------------------------------------
DATA_DIR = Path(env.text("DATA_DIR") or ROOT / "data").resolve()
BASE_URL = env.http_url("BASE_URL")
_base = urlsplit(BASE_URL)
HTTPS = _base.scheme == "https"
DEVELOPMENT = not BASE_URL or _base.hostname in ("localhost", "127.0.0.1", "::1")
DEBUG = env.flag("DEBUG", False)
LOG_LEVEL = env.text("LOG_LEVEL", "info")

if DEVELOPMENT:
    SECRET_KEY = env.text("SECRET_KEY") or kept_secret(DATA_DIR / "secret_key", secrets.token_urlsafe(50))
else:
    SECRET_KEY = env.text("SECRET_KEY")
    if len(SECRET_KEY) < 32:
        raise ImproperlyConfigured("Set SECRET_KEY to at least 32 random characters; BASE_URL says this is production.")
    if DEBUG:
        raise ImproperlyConfigured("DEBUG is on, and BASE_URL says this is production. Switch DEBUG off.")

# With what keys of model servers are sealed that are typed in the administration: the first seals, all of them open.
# In production it is asked for when such a key is to be kept, and not before.
ENCRYPTION_KEYS = env.words("ENCRYPTION_KEY")
if not ENCRYPTION_KEYS and DEVELOPMENT:
    ENCRYPTION_KEYS = [kept_secret(DATA_DIR / "encryption_key", secrets.token_urlsafe(50))]
if any(len(secret) < SHORTEST for secret in ENCRYPTION_KEYS):
    raise ImproperlyConfigured(
        f"ENCRYPTION_KEY has a part shorter than {SHORTEST} characters; write random ones, with commas between several."
    )

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or (
    ["localhost", "127.0.0.1", "[::1]"] if DEVELOPMENT else [str(_base.hostname)]
)
if "*" in ALLOWED_HOSTS and not DEVELOPMENT:
    raise ImproperlyConfigured("ALLOWED_HOSTS may not contain * in production; name the hosts.")
# Full origins, scheme and port included. In development the page's own origin is enough (chatserver.origins).
ALLOWED_ORIGINS = env.origins("ALLOWED_ORIGINS") or ([f"{_base.scheme}://{_base.netloc}"] if BASE_URL else [])
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")

# --- what it is made of --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    # Only runserver is its, and there it stands before staticfiles (daphne.E001). Anywhere else it would bring Twisted
    # into the process: a fifth of the start's time, for nothing.
    *(["daphne"] if "runserver" in sys.argv else []),
    "servestatic.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "channels",
    "rest_framework",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "chatserver",
    "chatserver.accounts",
    "conversations",
    "streaming",
]
MIDDLEWARE = [
    # Around everything that answers: the one shape of errors, and files; an SVG opened by itself is a page.
    "chatserver.middleware.SecurityHeaders",
    "chatserver.middleware.ContentSecurityPolicy",
    "chatserver.middleware.Errors",
    "servestatic.middleware.ServeStaticMiddleware",
    "chatserver.middleware.Locale",
    "chatserver.middleware.Common",
    "chatserver.middleware.BearerTokens",  # before Sessions: a request with a token has none
    "chatserver.middleware.Sessions",
    "chatserver.middleware.Csrf",
    "chatserver.middleware.Authentication",
    "chatserver.middleware.Messages",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "chatserver.urls"
ASGI_APPLICATION = "chatserver.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": database(
        env.text("DATABASE_URL"),
        DATA_DIR,
        pool=env.whole("DATABASE_POOL", 20, least=16, most=1000),  # 8 for requests, 8 for the engine
        statement_timeout=env.number("DATABASE_STATEMENT_TIMEOUT", 30.0),
        lock_timeout=env.number("DATABASE_LOCK_TIMEOUT", 10.0),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = redis_url(env.text("REDIS_URL"))
REDIS_PREFIX = env.text("REDIS_PREFIX") or "chatserver"  # pub/sub knows no numbered databases
CHANNEL_LAYERS = channel_layers(REDIS_URL, REDIS_PREFIX)
CACHES = caches(REDIS_URL, REDIS_PREFIX)

# --- accounts ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
SIGNUP = env.choice("SIGNUP", "open", ("open", "invite", "closed"))
AUTHENTICATION_BACKENDS = ["chatserver.accounts.backend.AccountBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "chatserver.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "chatserver.accounts.forms.SignupForm",
    "add_email": "chatserver.accounts.forms.AddEmailForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_RATE_LIMITS = {"login_failed_anywhere": "100/h/key"}  # beside allauth's own
ACCOUNT_SESSION_REMEMBER = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "chatserver.errors.csrf_failure"

# --- safety on the wire --------------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = False  # the proxy in front does it; a redirect here would hide a wrong BASE_URL
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "img-src": [SELF, "blob:"],
        "frame-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
MAX_BODY = env.whole("MAX_BODY", 4 * 1024 * 1024, least=1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY
MAX_ATTACHMENT = env.whole("MAX_ATTACHMENT", 10 * 1024 * 1024, least=1024, most=200 * 1024 * 1024)
ATTACHMENTS_QUOTA = env.whole("ATTACHMENTS_QUOTA", 500 * 1024 * 1024, most=2**53)  # bytes a person

# --- REST ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["conversations.api.authentication.PrincipalAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["chatserver.accounts.permissions.SignedIn"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["conversations.api.parsing.StrictJSONParser"],
    "EXCEPTION_HANDLER": "conversations.api.errors.answer",
}

# --- text, time, files ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
LOCALE_PATHS = [ROOT / "locale"]  # of all of the code: see docs/translating.md
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "static"
STATICFILES_DIRS: list[Path] = []
SERVESTATIC_ALLOW_ALL_ORIGINS = False  # nobody's page but ours is made of them
ATTACHMENTS_URL = env.text("ATTACHMENTS_URL")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "attachments": attachments_storage(ATTACHMENTS_URL, DATA_DIR),
    "staticfiles": {"BACKEND": "chatserver.staticfiles.ModuleManifestStorage"},
}
# Mail with its reset links belongs on the console only where the person at the console is the one who asked for it.
globals().update(email_settings(env.text("EMAIL_URL") or ("console://" if DEVELOPMENT else "none://")))

# --- model servers -------------------------------------------------------------------------------------------------
PROVIDERS = env.text("PROVIDERS")
OLLAMA_BASE_URL = env.http_url("OLLAMA_BASE_URL", "http://127.0.0.1:11434")
if PROVIDERS and "OLLAMA_BASE_URL" not in os.environ:
    OLLAMA_BASE_URL = ""  # the file says which servers there are
OLLAMA_NUM_CTX = env.sizes("OLLAMA_NUM_CTX", least=256)  # tokens, by model; "" is for all others
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
OPENAI_BASE_URL = env.http_url("OPENAI_BASE_URL") or ("https://api.openai.com/v1" if OPENAI_API_KEY else "")
if not re.fullmatch(r"[!-~]*", OPENAI_API_KEY):  # it is sent in a header
    raise ImproperlyConfigured("OPENAI_API_KEY has characters that no key has; copy it once more.")
if re.search("[?#]", OPENAI_BASE_URL):  # paths are added to it, and it is shown
    raise ImproperlyConfigured("OPENAI_BASE_URL has a ? or a #; leave out what begins there.")
if OPENAI_API_KEY and "@" in urlsplit(OPENAI_BASE_URL).netloc:
    raise ImproperlyConfigured("OPENAI_BASE_URL has a password, and there is an OPENAI_API_KEY; leave one of them out.")
DEFAULT_MODEL = env.text("DEFAULT_MODEL")
TITLES = env.flag("TITLES", True)
FOLLOW_UPS = env.flag("FOLLOW_UPS", False)
TASK_MODEL = env.text("TASK_MODEL")
TITLE_TIMEOUT = env.number("TITLE_TIMEOUT", 15.0, least=0.05)
_named = [
    ModelServerSpec(name="ollama", kind="ollama", url=OLLAMA_BASE_URL, shows_address=True),
    ModelServerSpec(name="openai", kind="openai", url=OPENAI_BASE_URL, key=OPENAI_API_KEY, shows_address=True),
]
_of_variables = tuple(server for server in _named if server.url)
_of_file = (
    read_providers(Path(PROVIDERS), os.environ, taken=[server.name for server in _of_variables])
    if PROVIDERS
    else Configured()
)
# What the settings say of model servers; those of the administration come behind them.
MODEL_SERVERS = Configured(servers=(*_of_variables, *_of_file.servers), aliases=_of_file.aliases)
PULL_REGISTRIES = [host.lower() for host in env.words("PULL_REGISTRIES", "registry.ollama.ai,hf.co,huggingface.co")]
UPSTREAM_CONNECT = env.number("UPSTREAM_CONNECT", 3.0, least=0.05)
UPSTREAM_FIRST_BYTE = env.number("UPSTREAM_FIRST_BYTE", 600.0, least=0.05)
UPSTREAM_IDLE = env.number("UPSTREAM_IDLE", 120.0, least=0.05)
UPSTREAM_MAX_LINE = env.whole("UPSTREAM_MAX_LINE", 8 * 1024 * 1024, least=1024)
RETRY_ATTEMPTS = env.whole("RETRY_ATTEMPTS", 3, least=1, most=10)
RETRY_DELAY = env.number("RETRY_DELAY", 1.0)
STREAMING = env.flag("STREAMING", True)
FALLBACK_TO_NON_STREAMING = env.flag("FALLBACK_TO_NON_STREAMING", True)

# --- runs and streams (the numbers of docs/protocol.md; seconds where no unit is named) -----------------------------
EVENT_LOG = env.choice("EVENT_LOG", "database", ("memory", "database", "redis"))
if EVENT_LOG == "redis" and not REDIS_URL:
    raise ImproperlyConfigured("EVENT_LOG is redis, and there is no REDIS_URL; set it, or leave EVENT_LOG as it is.")
RUN_CAPACITY = env.whole("RUN_CAPACITY", 1000)
MAX_PARALLEL = env.whole("MAX_PARALLEL", 0)
MAX_WAITING = env.whole("MAX_WAITING", 200, least=1)
RUN_DEADLINE = env.number("RUN_DEADLINE", 1800.0, least=1)
DRAIN_GRACE = env.number("DRAIN_GRACE", 20.0)
LEASE_BEAT = env.number("LEASE_BEAT", 3.0, least=0.1)
LEASE_EXPIRY = env.number("LEASE_EXPIRY", 10.0, least=0.5)
if LEASE_EXPIRY < 2 * LEASE_BEAT:
    raise ImproperlyConfigured("LEASE_EXPIRY must be at least twice LEASE_BEAT, or one late beat would cost the lease.")
FLUSH_INTERVAL = env.number("FLUSH_INTERVAL", 40.0)  # milliseconds
FLUSH_BYTES = env.whole("FLUSH_BYTES", 2048, least=1)
UNDO_DELETE = env.number("UNDO_DELETE", 60.0)
LOG_KEPT = env.number("LOG_KEPT", 3600.0)
HEARTBEAT = env.number("HEARTBEAT", 15.0, least=0.05)
CLIENT_DEAD_AFTER = env.number("CLIENT_DEAD_AFTER", 60.0, least=0.1)
WRITE_TIMEOUT = env.number("WRITE_TIMEOUT", 20.0, least=0.1)
MAX_FRAME = env.whole("MAX_FRAME", 64 * 1024, least=1024)
MAX_EVENT = env.whole("MAX_EVENT", 256 * 1024, least=1024)
MAX_STREAMS = env.whole("MAX_STREAMS", 12, least=1)
MAX_SUBSCRIPTIONS = env.whole("MAX_SUBSCRIPTIONS", 50, least=1)
STREAM_ROTATION = env.number("STREAM_ROTATION", 600.0, least=1)
MAX_ATTEMPTS = env.whole("MAX_ATTEMPTS", 5, least=1)
MAX_TOOL_STEPS = env.whole("MAX_TOOL_STEPS", 8)
MAX_REPEATS = env.whole("MAX_REPEATS", 3, least=1)
APPROVAL_EXPIRY = env.number("APPROVAL_EXPIRY", 24 * 3600.0, least=1)
TOOL_TIMEOUT = env.number("TOOL_TIMEOUT", 30.0, least=0.05)

# Last, when it is known what no line of the log may have.
LOGGING = logging_config(
    LOG_LEVEL,
    secrets=[
        SECRET_KEY,
        str(DATABASES["default"].get("PASSWORD", "")),
        str(globals().get("EMAIL_HOST_PASSWORD", "")),
        *redis_secrets(REDIS_URL),
        *ENCRYPTION_KEYS,
        *(server.key for server in MODEL_SERVERS.servers),
        *attachments_secrets(ATTACHMENTS_URL),
    ],
)
