import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.env import Environment


def env(**values: str) -> Environment:
    return Environment(values)


def test_what_is_not_set_has_its_default():
    assert env().text("A", "x") == "x"
    assert env().flag("A", True) is True
    assert env().whole("A", 7) == 7
    assert env().number("A", 1.5) == 1.5
    assert env().words("A") == []
    assert env().choice("A", "one", ("one", "two")) == "one"


def test_values_are_read_by_their_type():
    assert env(A=" x ").text("A") == "x"
    assert [env(A=word).flag("A", False) for word in ("1", "on", "Yes", "true")] == [True] * 4
    assert [env(A=word).flag("A", True) for word in ("0", "off", "No", "")] == [False] * 4
    assert env(A="8").whole("A", 1) == 8
    assert env(A="0.25").number("A", 1) == 0.25
    assert env(A="a, b,,c ").words("A") == ["a", "b", "c"]
    assert env(A=" 8192, qwen3:8b = 32768").sizes("A", least=256) == {"": 8192, "qwen3:8b": 32768}
    assert env(A="TWO").choice("A", "one", ("one", "two")) == "two"
    assert env(A="https://x.example/").http_url("A") == "https://x.example"
    assert env(A="https://x.example, app://chat:8/").origins("A") == ["https://x.example", "app://chat:8"]
    assert env(A="127.0.0.1,10.0.0.0/8,::1,*").networks("A") == ["127.0.0.1", "10.0.0.0/8", "::1", "*"]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda e: e.flag("A", True), "perhaps"),
        (lambda e: e.whole("A", 1), "1.5"),
        (lambda e: e.whole("A", 1, least=1), "0"),
        (lambda e: e.number("A", 1, most=9), "10"),
        (lambda e: e.number("A", 1), "nan"),
        (lambda e: e.choice("A", "one", ("one", "two")), "three"),
        (lambda e: e.http_url("A"), "localhost:11434"),
        (lambda e: e.http_url("A"), "ftp://x.example"),
        (lambda e: e.http_url("A"), "http://x.example:abc"),
        (lambda e: e.origins("A"), "x.example"),
        (lambda e: e.origins("A"), "https://x.example/path"),
        (lambda e: e.networks("A"), "proxy"),
        (lambda e: e.whole("A", 1), str(2**31)),
        (lambda e: e.sizes("A", least=256), "many"),
        (lambda e: e.sizes("A", least=256), "qwen3:8b="),
        (lambda e: e.sizes("A", least=256), "m=255"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence_that_names_it(read, value: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        read(env(A=value))
    sentence = str(refusal.value)
    assert sentence.startswith(("A is ", "A has "))
    assert value in sentence
    assert sentence.endswith(".")
