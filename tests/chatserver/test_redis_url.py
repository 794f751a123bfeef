"""REDIS_URL is taken or refused in one sentence, which never repeats its password."""

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.redaction import Redacted
from chatserver.redis_url import caches, channel_layers, redis_secrets, redis_url

SECRET = "s3cret-of-redis"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://127.0.0.1:6379/2",
        f"redis://:{SECRET}@redis.example.org:6380",
        f"rediss://chat:{SECRET}@[::1]:6379/0?ssl_cert_reqs=required",
        "",
    ],
)
def test_an_address_is_taken_as_it_is(url: str) -> None:
    assert redis_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        f"http://:{SECRET}@127.0.0.1",
        "redis://",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@host:port",
        f"redis://:{SECRET}@host:99999",
        f"redis://:{SECRET}@host/first",
        f"redis://:{SECRET}@host?colour=red",
        f"rediss://:{SECRET}@host?ssl_ca_certs=/nowhere/at/all.pem",
    ],
)
def test_anything_else_is_refused_in_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL") as refused:
        redis_url(url)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_the_password_is_in_no_line_of_the_log_in_either_spelling() -> None:
    redacted = Redacted(redis_secrets("redis://:p%40ssword-of-redis@host"))
    line = redacted(logging.getLogger(), "info", "p%40ssword-of-redis p@ssword-of-redis redis://:other-word@host")
    assert "ssword" not in line
    assert "other-word" not in line


def test_without_redis_wake_ups_stay_in_the_process_and_the_cache_is_in_the_database() -> None:
    assert channel_layers("", "chatserver") == {}
    assert list(caches("", "chatserver")) == ["default"]
    assert caches("", "chatserver")["default"]["BACKEND"].endswith("DatabaseCache")


def test_with_redis_both_are_there_under_the_prefix() -> None:
    url = "redis://127.0.0.1/3"
    assert list(channel_layers(url, "mine")) == ["doorbell"]  # not the default one: sockets would hang on it
    assert channel_layers(url, "mine")["doorbell"]["CONFIG"]["prefix"] == "mine:"
    both = caches(url, "mine")
    assert (both["default"]["LOCATION"], both["default"]["KEY_PREFIX"]) == (url, "mine")
    assert both["database"]["BACKEND"].endswith("DatabaseCache")
