"""What of JSON is taken from clients, and how much of it."""

import json
import time

import pytest

from streaming.protocol.commands import MAX_CONTENT
from streaming.protocol.errors import InvalidJson
from streaming.protocol.strict_json import MAX_STRUCTURE, parse_json

ROOM = 4 * 1024 * 1024


@pytest.mark.parametrize(
    "text", ["Why, if {not} now, [when]?", 'She said, "why?" ', "a\\b, ", '\\",', "\U0001f600, ", "\x00,"]
)
def test_the_longest_question_is_taken_whatever_stands_in_it(text: str) -> None:
    question = (text * MAX_CONTENT)[:MAX_CONTENT]
    for ascii_only in (True, False):
        body = json.dumps({"content": question, "parameters": {"a": [1, {}]}}, ensure_ascii=ascii_only)
        assert parse_json(body)["content"] == question
        assert parse_json(body.encode())["content"] == question


@pytest.mark.parametrize("piece", ["0,", "[],", "{},", '"",', "1e1,", "9" * 4000 + ",", " ", '"', '"\\"",', '"a":{},'])
@pytest.mark.parametrize("around", ["[%s0]", '{"content":"Why?","parameters":{"a":[%s0]}}', '["\\"",%s0]'])
def test_who_sends_millions_of_values_holds_nobody_up(piece: str, around: str) -> None:
    body = (around % (piece * (ROOM // len(piece)))).encode()
    begun = time.process_time()
    with pytest.raises(InvalidJson):
        parse_json(body)
    assert time.process_time() - begun < 0.5  # it took seconds


def test_what_stands_outside_of_texts_is_counted_in_characters() -> None:
    text = ', "\\"[1, ' * MAX_STRUCTURE
    some = (
        MAX_STRUCTURE - 4
    ) // 2  # "1,1,…1" is one less than twice as long; around it are a bracket, a comma, a bracket
    body = f"[{json.dumps(text)},{','.join('1' * some)}"
    assert parse_json(f"{body}]") == [text, *[1] * some]
    with pytest.raises(InvalidJson):
        parse_json(f"{body},1,1]")


def test_it_is_utf_8_and_nothing_else() -> None:
    assert parse_json("\ufeff[1]".encode()) == [1]
    for raw in ("[1]".encode("utf-16"), "[1]".encode("utf-32-le"), b'["\xed\xa0\x80"]', b'["\xff"]'):
        with pytest.raises(InvalidJson):
            parse_json(raw)
