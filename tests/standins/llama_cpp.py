"""A real llama.cpp server, as xllamacpp brings it, of a tiny model.

    python tests/standins/llama_cpp.py --port 0

prints one JSON line with the port it listens on; its address ends in /v1, and its model is "tiny".
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import xllamacpp
from tiny_model import write_model


def serve(*, port: int, context: int, parent: int | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = Path(directory) / "tiny.gguf"
        write_model(model, context=context)
        asked = xllamacpp.CommonParams()
        asked.model.path = str(model)
        asked.model_alias = {"tiny"}
        asked.port = port
        asked.n_ctx = context
        asked.n_parallel = 1
        asked.n_gpu_layers = 0
        asked.cpuparams.n_threads = 1
        asked.n_threads_http = 4
        asked.endpoint_slots = True
        asked.verbosity = 0
        server = xllamacpp.Server(asked)
        print(json.dumps({"port": urlsplit(server.listening_address).port}), flush=True)
        while parent is None or os.getppid() == parent:
            time.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--context", type=int, default=8192, help="tokens")
    parser.add_argument("--parent", type=int, help="end when this process, its parent, has ended")
    options = parser.parse_args()
    serve(port=options.port, context=options.context, parent=options.parent)
