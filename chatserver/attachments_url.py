"""Where people's files lie, as Django's settings: below the data directory, or in a bucket that speaks S3."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_REMEDY = "write s3://key:secret@s3.eu-central-1.amazonaws.com/bucket?region=eu-central-1, or s3+http:// without TLS"
_OPTIONS = frozenset({"region"})


def attachments_storage(url: str, data_dir: Path) -> dict[str, Any]:
    """The entry of STORAGES. Raises ImproperlyConfigured, without repeating the address: a key is in it."""
    if not url:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {
                "location": data_dir / "attachments",
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"ATTACHMENTS_URL has a port that is no number; {_REMEDY}.") from None
    bucket, _, folder = unquote(parts.path).strip("/").partition("/")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in ("s3", "s3+http") or not parts.hostname or not bucket or parts.fragment:
        raise ImproperlyConfigured(f"ATTACHMENTS_URL is no address of a bucket; {_REMEDY}.")
    if not parts.username or not parts.password:
        raise ImproperlyConfigured(f"ATTACHMENTS_URL has no key and secret before the host; {_REMEDY}.")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ImproperlyConfigured(f"ATTACHMENTS_URL has {', '.join(unknown)} after its ?; only region is known.")
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise ImproperlyConfigured("ATTACHMENTS_URL needs django-storages; run pip install 'django-storages[s3]'.")
    from botocore.config import Config  # noqa: PLC0415  large, and needed by few

    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{'http' if parts.scheme == 's3+http' else 'https'}://{host}{f':{port}' if port else ''}"
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "access_key": unquote(parts.username),
            "secret_key": unquote(parts.password),
            "endpoint_url": address,
            "bucket_name": bucket,
            "location": folder,
            "region_name": options.get("region") or None,
            "max_memory_size": 1024 * 1024,  # what is larger lies in a temporary file while somebody fetches it
            "file_overwrite": True,  # names are ids: to ask first whether one is taken would be a request for nothing
            "client_config": Config(
                connect_timeout=3,
                read_timeout=20,
                retries={"total_max_attempts": 2},
                s3={"addressing_style": "path"},  # every server knows it; names as hosts need a DNS of their own
                # Not each of them knows the checksums that the client would add by itself.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        },
    }


def attachments_secrets(url: str) -> list[str]:
    """What of the address no line of the log may have."""
    secret = urlsplit(url).password or ""
    return [secret, unquote(secret)]
