"""Serves a GGUF file on this machine with the wheel ``xllamacpp``, until it is terminated.

    python xllamacpp_server.py MODEL.gguf --alias NAME --port 8080

The wheel is llama.cpp, built: what answers is its own server, and ``llamacpp:NAME@URL`` names it.
"""

from __future__ import annotations

import argparse
import signal
import threading


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--alias", default="model")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--slots", type=int, default=4, help="texts at once")
    parser.add_argument("--context", type=int, default=1024, help="tokens of each")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    # Here, so that --help needs no wheel.
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.model_alias = {arguments.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_parallel = arguments.slots
    params.n_ctx = arguments.slots * arguments.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = xllamacpp.Server(params)
    print(f"{arguments.alias} at {server.listening_address}/v1", flush=True)
    ended.wait()


if __name__ == "__main__":
    main()
