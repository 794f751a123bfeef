import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.email_url import email_settings


def test_smtp_with_a_password_uses_starttls() -> None:
    found = email_settings("smtp://me%40example.org:p%2Fw@mail.example.org?from=chat@example.org")
    assert found["EMAIL_HOST"] == "mail.example.org"
    assert found["EMAIL_PORT"] == 587
    assert found["EMAIL_HOST_USER"] == "me@example.org"
    assert found["EMAIL_HOST_PASSWORD"] == "p/w"
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (True, False)
    assert found["DEFAULT_FROM_EMAIL"] == "chat@example.org"


def test_smtp_without_a_password_is_plain_unless_asked() -> None:
    assert email_settings("smtp://127.0.0.1:25")["EMAIL_USE_TLS"] is False
    assert email_settings("smtp://127.0.0.1:25?starttls=on")["EMAIL_USE_TLS"] is True


def test_smtps_is_encrypted_from_the_first_byte() -> None:
    found = email_settings("smtps://me:pw@mail.example.org")
    assert (found["EMAIL_PORT"], found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (465, True, False)


def test_files_go_to_the_directory() -> None:
    assert email_settings("file:///var/mail/my%20chat")["EMAIL_FILE_PATH"] == "/var/mail/my chat"


def test_the_console_is_standard_error() -> None:
    assert email_settings("console://")["EMAIL_BACKEND"] == "chatserver.mail.StandardErrorBackend"


@pytest.mark.parametrize(
    "url",
    ["mail.example.org", "imap://host", "smtp://:secretpw@", "file://", "smtp://u:secretpw@h:x", "smtp://h?starttls=5"],
)
def test_a_bad_address_is_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as failure:
        email_settings(url)
    assert "EMAIL_URL" in str(failure.value)
    assert "secretpw" not in str(failure.value)
