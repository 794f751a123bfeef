"""Ask over the WebSocket, and print the answer; where the network breaks, go on where it broke. Needs websockets."""

import asyncio
import json
import random
import sys
import uuid

from chat import ENDS, MODEL, URL, connect, new_thread, text_after
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main(question: str) -> None:
    with connect() as client:
        thread = new_thread(client)
        token = client.headers["Authorization"].removeprefix("Bearer ")
    send = {"thread_id": thread, "content": question, "model": MODEL, "idempotency_key": str(uuid.uuid4())}
    run, last, wait, text = None, 0, 0.5, ""
    while True:
        try:
            address = URL.replace("http", "ws", 1) + "/ws/v1"
            async with open_socket(address, subprotocols=["chat.v1"], max_size=16 * 2**20) as socket:
                await socket.send(json.dumps({"event": "auth", "req": 1, "data": {"token": token}}))
                follow = {"event": "subscribe", "req": 2, "data": {"run_id": run, "after": last}}
                await socket.send(json.dumps(follow if run else {"event": "message.send", "req": 2, "data": send}))
                async for frame in socket:
                    told = json.loads(frame)
                    if told["event"] == "error" and "id" not in told:  # about this connection, not about the run
                        if told["data"]["retryable"]:
                            break
                        sys.exit(told["data"]["message"])
                    if told.get("req") == 2:
                        run = told["data"].get("run_id", run)
                    if told["event"] != "thread.run.snapshot" and told.get("id", 0) <= last:
                        continue  # a reply, a hint, a repeat
                    last, wait = told["id"], 0.5
                    before, text = text, text_after(text, told)
                    print(text[len(before) :], end="", flush=True)
                    if told["event"] in ENDS:
                        return print()
        except (OSError, ConnectionClosed, InvalidHandshake):
            pass
        await asyncio.sleep(random.uniform(0, wait))
        wait = min(2 * wait, 30)


asyncio.run(main(sys.argv[1]))
