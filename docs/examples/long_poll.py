"""Ask, and print the answer by long poll: for networks that let no stream through."""

import sys

from chat import ENDS, ask, connect

with connect() as client:
    run, last, ended = ask(client, sys.argv[1]), 0, False
    while not ended:
        # The answer comes as soon as there is something after event `last`, or after 25 seconds without.
        answer = client.get(f"/api/v1/runs/{run}", params={"wait": 25, "after": last})
        for event in answer.raise_for_status().json()["events"]:
            last, ended = event["id"], event["event"] in ENDS
            if event["event"] == "thread.message.delta":
                print(event["data"]["content"], end="", flush=True)
    print()
