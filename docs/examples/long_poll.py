"""Ask, and print the answer by long poll: for networks that let no stream through."""

import sys

from chat import ENDS, ask, connect, insist, text_after, text_of

with connect() as client:
    run, last, text, ended = ask(client, sys.argv[1]), 0, "", False
    while not ended:
        # The answer comes as soon as there is something after event `last`, or after 25 seconds without.
        answer = insist(client, "GET", f"/api/v1/runs/{run}", params={"wait": 25, "after": last})
        before, events = text, answer["events"]
        if events and [event["id"] for event in events] == list(range(last + 1, last + 1 + len(events))):
            for event in events:
                text, last, ended = text_after(text, event), event["id"], event["event"] in ENDS
        else:  # nothing new, or the log no longer has what followed: the state beside it is what all of it led to
            text, last, ended = text_of(answer, text), answer["head"], answer["run"]["finished_at"] is not None
        print(text[len(before) :], end="", flush=True)
    print()
