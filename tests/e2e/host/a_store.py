"""What presigned addresses lead to: a store on loopback that gives what is put into it."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileStore:
    """Serves ``content`` by path; everything else is 403, as an expired address is."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                store.asked.append(path)
                body = store.content.get(path)
                self.send_response(403 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def file(self, name: str, content: bytes) -> dict[str, Any]:
        """Put a file in and describe it as an order does."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.content[f"/{sha256}"] = content
        url = f"{self.url}/{sha256}?X-Amz-Signature=secret"
        return {"name": name, "url": url, "sha256": sha256, "size": len(content)}

    def wait_for_looks(self, count: int, within_s: float = 20.0) -> None:
        """Wait until it was asked so often again."""
        wanted, until = len(self.asked) + count, time.monotonic() + within_s
        while len(self.asked) < wanted:
            assert time.monotonic() < until, f"asked {len(self.asked)} times, not {wanted}"
            time.sleep(0.02)

    def order(self, spec: dict[str, Any]) -> str:
        """Put an order in and give its address."""
        self.content["/order"] = json.dumps(spec).encode()
        return f"{self.url}/order?X-Amz-Signature=secret"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
