"""ATTACHMENTS_URL: what it means, and what is wrong with it."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.attachments_url import attachments_secrets, attachments_storage

DATA = Path("/var/lib/chatserver")


def test_without_one_files_lie_below_the_data_directory_for_its_owner_alone() -> None:
    storage = attachments_storage("", DATA)
    assert storage["OPTIONS"]["location"] == DATA / "attachments"
    assert (storage["OPTIONS"]["file_permissions_mode"], storage["OPTIONS"]["directory_permissions_mode"]) == (
        0o600,
        0o700,
    )


def test_an_address_of_a_bucket_is_taken_apart() -> None:
    options = attachments_storage("s3://key:a%2Fb@s3.example.org/people/of/chat?region=eu-1", DATA)["OPTIONS"]
    assert {name: value for name, value in options.items() if name != "client_config"} == {
        "access_key": "key",
        "secret_key": "a/b",
        "endpoint_url": "https://s3.example.org",
        "bucket_name": "people",
        "location": "of/chat",
        "region_name": "eu-1",
        "max_memory_size": 1024 * 1024,
        "file_overwrite": True,
    }
    plain = attachments_storage("s3+http://key:secret@[::1]:9000/people", DATA)["OPTIONS"]
    assert (plain["endpoint_url"], plain["region_name"]) == ("http://[::1]:9000", None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://key:canary@host/bucket", "no address of a bucket"),
        ("s3://key:canary@host", "no address of a bucket"),
        ("s3://key:canary@/bucket", "no address of a bucket"),
        ("s3://host/bucket", "no key and secret"),
        ("s3://key@host/bucket", "no key and secret"),
        ("s3://key:canary@host:nine/bucket", "a port that is no number"),
        ("s3://key:canary@host/bucket?acl=public", "acl after its"),
    ],
)
def test_a_wrong_one_says_what_is_wrong_without_its_secret(url: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=said) as fault:
        attachments_storage(url, DATA)
    assert "canary" not in str(fault.value)


def test_what_is_secret_of_it_is_known_as_it_stands_and_as_it_is_meant() -> None:
    assert attachments_secrets("s3://key:a%2Fb@host/bucket") == ["a%2Fb", "a/b"]
    assert attachments_secrets("") == ["", ""]
