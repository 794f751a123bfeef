"""python ask.py "What is 17 * 23?"   prints the answer as it comes; where the network breaks, it goes on there."""

import sys

from chat import ask, connect, follow, text_after

with connect() as client:
    text = ""
    for event in follow(client, ask(client, sys.argv[1])):
        before, text = text, text_after(text, event)
        print(text[len(before) :], end="", flush=True)
    print()
if event["event"] == "thread.run.failed":
    sys.exit(event["data"]["error"]["message"])
