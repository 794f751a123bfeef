import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_frame_of_a_diagram_can_run_our_scripts_and_reach_nothing(client: Client) -> None:
    answer = client.get("/diagram")
    assert answer.status_code == 200
    policy = dict(each.partition(" ")[::2] for each in answer["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
        "sandbox": "allow-scripts",
    }
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer


def test_it_has_no_script_or_style_of_its_own_and_knows_nobody(client: Client) -> None:
    page = client.get("/diagram").content.decode()
    assert page.count("<script src=") == page.count("<script") == 2
    for other in ("<style", "style=", "csrf", "boot"):
        assert other not in page


def test_nothing_but_the_frame_may_be_framed_or_styled_inline(client: Client) -> None:
    for address in ("/accounts/login/", "/static/vendor/mermaid.js"):
        answer = client.get(address)
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_only_read(client: Client, method: str) -> None:
    assert getattr(client, method)("/diagram").status_code == 405
