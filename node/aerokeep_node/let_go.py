"""The word to let go: an object that the controller puts once the last cut was answered, looked for over HTTP.

Run Command takes seconds to reach a host, and the slowest of many hosts takes longest; a look takes milliseconds. The
word can only end a write stop early: a host that can't look, or never finds it, is told through SSM, or ends its lease.
"""

import http.client
import json
import threading
from typing import Optional
from urllib.parse import urlsplit

from aerokeep_node.clock import monotonic_s

NO_WORD = "none"
IDLE_S = 1.0
"""Between two looks before T0: often enough for a stop that is called off, and the connection stays warm."""
EAGER_S = 0.15
"""Between two looks in the window. S3 takes 5,500 reads a second below one prefix; 80 hosts ask 530 times."""
TIMEOUT_S = 1.0
MOST_BYTES = 4096


class LetGo:
    """Looks from a thread of its own: names and networks may hang, and the lease may not.

    Args:
        url: presigned address of the object, or ``none``.
        token: the fencing token that the object must name; another one's word is not for this write stop.

    """

    def __init__(self, url: str, token: str) -> None:
        self.trouble: Optional[str] = None
        """Why the last look told nothing; None where it did."""
        self._url = url
        self._token = token
        self._heard = threading.Event()
        self._over = threading.Event()
        self._connection: Optional[http.client.HTTPConnection] = None

    @property
    def heard(self) -> bool:
        """Whether the word was found."""
        return self._heard.is_set()

    def begin(self, eager_from_s: float) -> None:
        """Start to look: now and then at first, often from an instant of the monotonic clock on."""
        if self._url != NO_WORD:
            threading.Thread(target=self._look_again_and_again, args=(eager_from_s,), name="word", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def _look_again_and_again(self, eager_from_s: float) -> None:
        while not self._over.is_set():
            try:
                found = self._look()
                self.trouble = None
            except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
                # The address is a secret: only what kind of error it was is told.
                self.trouble, found = type(error).__name__, False
                self._drop()
            if found:
                self._heard.set()
                return
            left_s = eager_from_s - monotonic_s()
            self._over.wait(min(IDLE_S, left_s) if left_s > EAGER_S else EAGER_S)
        self._drop()

    def _look(self) -> bool:
        parts = urlsplit(self._url)
        if self._connection is None:
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(parts.netloc, timeout=TIMEOUT_S)
        self._connection.request("GET", f"{parts.path}?{parts.query}")
        response = self._connection.getresponse()
        body = response.read(MOST_BYTES)
        if response.read(1):
            self._drop()  # longer than any word: the rest must not be taken for the next answer
        # Without the right to list, S3 says 403 of what is not there yet.
        return response.status == http.client.OK and self._is_ours(json.loads(body.decode("utf-8")))

    def _is_ours(self, word: object) -> bool:
        return isinstance(word, dict) and word.get("token") == self._token

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
