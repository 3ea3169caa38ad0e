"""Change a file of the host so that the former one stays beside it and can be put back."""

import os
from typing import Optional

from aerokeep_node.placing import DRAFT, place, read_whole, remove, sync_directory

UNCHANGED = "surrogateescape"
"""How bytes that are no UTF-8 become text, and the same bytes again."""


class KeptFile:
    """A text file, for one run; of a link, what it leads to is replaced, and the link stays."""

    def __init__(self, path: str, run: str) -> None:
        self.path = os.path.realpath(path)
        self.aside = f"{self.path}.aerokeep-{run}"
        self._none_before = self.aside + ".none"

    def former(self) -> Optional[str]:
        """Give the text as it was before this run touched it; None if there was none."""
        if os.path.exists(self._none_before):
            return None
        content = read_whole(self.aside)
        content = read_whole(self.path) if content is None else content
        return None if content is None else content.decode("utf-8", UNCHANGED)

    def put(self, text: str) -> None:
        """Put a text in place; before that, keep the former one."""
        content = text.encode("utf-8", UNCHANGED)
        current = read_whole(self.path)
        if current == content:
            return
        if current is None and not os.path.exists(self.aside):
            place(self._none_before, b"", like="")
        elif current is not None and not (os.path.exists(self.aside) or os.path.exists(self._none_before)):
            place(self.aside, current, like=self.path)
        place(self.path, content, like=self.aside)

    def put_back(self) -> bool:
        """Put the former file back; whether another one stood in its place."""
        for path in (self.path, self.aside, self._none_before):
            remove(path + DRAFT)
        if os.path.exists(self.aside):
            os.rename(self.aside, self.path)
            sync_directory(os.path.dirname(self.path))
            return True
        if os.path.exists(self._none_before):
            remove(self.path)
            return remove(self._none_before)
        return False
