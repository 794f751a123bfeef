"""Ask, and stop the answer after its first words. What was shown by then stays."""

import sys

from chat import ask, connect, follow, insist

with connect() as client:
    run = ask(client, sys.argv[1])
    for event in follow(client, run):
        if event["event"] == "thread.message.delta":
            print(event["data"]["content"], end="", flush=True)
            insist(client, "POST", f"/api/v1/runs/{run}/cancel")  # again changes nothing
    print()
    # The work may have ended before the stop came; then the run is completed.
    print("ended as", event["data"]["run"]["status"])
