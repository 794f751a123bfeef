"""Ask for a person, get JSON: an answer that is checked against a schema before it is told."""

import json
import sys
import uuid

from chat import MODEL, connect, follow, insist, new_thread, text_after

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}

with connect() as client:
    body = {
        "content": sys.argv[1],
        "model": MODEL,
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
        "idempotency_key": str(uuid.uuid4()),  # a lost answer is fetched, not asked for again
    }
    run = insist(client, "POST", f"/api/v1/threads/{new_thread(client)}/runs", json=body)["run"]["id"]
    text = ""
    for event in follow(client, run):
        text = text_after(text, event)
    outcome = event["data"]["run"]["structured"]
    if not outcome["valid"]:
        sys.exit(outcome["error"]["message"])
    person = json.loads(text)
    print(f"{person['name']} is {person['age']}.")
