"""The assistant's page in a process of its own, for what looks at it from outside."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def page_served(recommender: Path, data: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """The server's process and its address, once it answers, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "fashionm3", "app", "--recommender", recommender, "--data", data]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([*map(str, words), "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if server.poll() is not None:
                raise SystemExit("the server ended at once")
            try:
                requests.get(address, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield server, address
    finally:
        server.terminate()
        server.wait(30)
