"""Files in a bucket: a server that speaks S3, over a real socket."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from chatserver.accounts.models import User
from chatserver.attachments_url import attachments_secrets, attachments_storage
from chatserver.ids import new_id
from conversations.attachments import files
from conversations.attachments.intake import Taken
from conversations.models import Attachment, LooseFile
from conversations.services.attachments import delete_attachment, store
from streaming.protocol.errors import NotFound, StorageBusy
from tests.support.environment import free_port

SECRET = "se/cr+et-of-the-bucket"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    port = free_port()
    program = "import sys; from moto.server import main; main(sys.argv[1:])"
    server = subprocess.Popen(
        [sys.executable, "-c", program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    s3 = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="key", aws_secret_access_key=SECRET, region_name="eu-central-1"
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            s3.create_bucket(Bucket="people", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
            break
        except (BotoCoreError, ClientError):
            assert time.monotonic() < deadline, "the server that speaks S3 does not answer"
            time.sleep(0.2)
    yield f"s3+http://key:se%2Fcr%2Bet-of-the-bucket@127.0.0.1:{port}/people/files?region=eu-central-1"
    server.kill()
    server.wait()


@pytest.fixture
def kept_there(bucket: str, settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, "attachments": attachments_storage(bucket, tmp_path)}


def test_a_file_goes_there_comes_back_and_goes(
    user: User, text: Callable[..., Taken], kept_there: None, tmp_path: Path
) -> None:
    kept, _ = store(owner_id=user.pk, taken=text("Hello"), quota=100)
    assert not (tmp_path / "attachments").exists()
    assert files.read(kept.pk, "content") == b"Hello"
    assert files.read(kept.pk, "content", most=2) == b"He"
    delete_attachment(attachment=kept)
    with pytest.raises(NotFound):
        files.read(kept.pk, "content")
    assert not LooseFile.objects.exists()
    files.remove(kept.pk)  # again changes nothing


def test_a_bucket_that_is_away_leaves_no_row_and_says_nothing_of_its_key(
    user: User, text: Callable[..., Taken], settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"s3+http://key:{SECRET.replace('/', '%2F')}@127.0.0.1:{free_port()}/people"
    settings.STORAGES = {**settings.STORAGES, "attachments": attachments_storage(url, tmp_path)}
    with pytest.raises(StorageBusy) as fault:
        store(owner_id=user.pk, taken=text("Hello"), quota=100)
    assert (fault.value.message, fault.value.retryable) == (files.AWAY, True)
    assert not Attachment.objects.exists()
    assert LooseFile.objects.count() == 1
    assert SECRET not in caplog.text
    with pytest.raises(StorageBusy):
        files.read(new_id(), "content")


def test_the_key_is_among_what_no_line_of_the_log_may_have(bucket: str) -> None:
    assert SECRET in attachments_secrets(bucket)
