"""A host on this machine that answers as a test tells it to, well or badly."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Status, headers and body; a list of blocks is sent slowly.
Answer = tuple[int, dict[str, str], bytes | list[bytes]]


class Host:
    """Answers by `answers(path, how often it was asked)`; `asked` is what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: Callable[[str, int], Answer] = lambda path, times: (404, {}, b"")
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append((self.path, dict(self.headers)))
                times = sum(path == self.path for path, _ in host.asked)
                status, headers, body = host.answers(self.path, times)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    size = sum(map(len, body)) if isinstance(body, list) else len(body)
                    self.send_header("Content-Length", str(size))
                self.end_headers()
                with suppress(ConnectionError):
                    for block in body if isinstance(body, list) else [body]:
                        self.wfile.write(block)
                        if isinstance(body, list):
                            time.sleep(0.1)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/settlements"
