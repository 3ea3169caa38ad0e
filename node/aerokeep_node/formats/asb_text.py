"""The tokens of asbackup's text format: escaped names, numbers, and values that carry their length."""

from typing import BinaryIO, List


class BadExportError(ValueError):
    """These bytes are no whole export; the message says what was found, and in which line."""


class Text:
    """The stream, line by line; entries take tokens and blocks from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._number = 1
        self._line = stream.readline()
        self._at = 0
        self._taken: List[bytes] = []

    @property
    def more(self) -> bool:
        """Whether another line is there."""
        return bool(self._line)

    def bad(self, what: str) -> BadExportError:
        """Make the error that names this place."""
        return BadExportError(f"line {self._number}: {what}: {self._line[self._at : self._at + 40]!r}")

    def take_raw(self) -> bytes:
        """Return all text since the last call."""
        raw, self._taken = b"".join(self._taken), []
        return raw

    def starts(self, text: bytes) -> bool:
        """Whether this comes next."""
        return self._line.startswith(text, self._at)

    def expect(self, text: bytes) -> None:
        """Take exactly this."""
        if not self._line.startswith(text, self._at):
            raise self.bad(f"{text.decode()!r} is expected" if self._line[self._at :] else "the text ends here")
        self._at += len(text)

    def end(self) -> None:
        """Go to the next line."""
        self.expect(b"\n")
        if self._at != len(self._line):
            raise self.bad("a line end is expected")
        self._taken.append(self._line)
        self._line, self._at = self._stream.readline(), 0
        self._number += 1

    def token(self, until: bytes) -> bytes:
        """Take an escaped token up to the byte ``until`` (which stays)."""
        end = self._line.find(until, self._at)
        plain = self._line[self._at : end]
        if b"\\" in plain:
            return self._escaped(until)
        if end < 0:
            raise self.bad("the text ends in a token")
        self._at = end
        return plain

    def _escaped(self, until: bytes) -> bytes:
        token = bytearray()
        escaped = False
        while True:
            if self._at == len(self._line):
                more = self._stream.readline()
                if not more:
                    raise self.bad("the text ends in a token")
                self._line += more
            byte = self._line[self._at]
            if not escaped and byte in until:
                return bytes(token)
            self._at += 1
            escaped = not escaped and byte == ord(b"\\")
            if not escaped:
                token.append(byte)

    def number(self, until: bytes, most: int) -> int:
        """Take a decimal number from 0 to ``most``."""
        token = self.token(until)
        if not token.isdigit() or int(token) > most:
            raise self.bad(f"{token!r} is no number up to {most}")
        return int(token)

    def block(self, size: int) -> bytes:
        """Take exactly so many bytes; what follows them must be in the line too."""
        missing = self._at + size + 1 - len(self._line)
        if missing > 0:
            more = self._stream.read(missing)
            self._line += more
            if len(more) < missing:
                raise self.bad(f"the text ends in a value of {size} bytes")
        block = self._line[self._at : self._at + size]
        self._at += size
        return block

    def name(self, until: bytes) -> str:
        """Take an escaped token that is a name."""
        token = self.token(until)
        try:
            return token.decode()
        except UnicodeDecodeError:
            raise self.bad(f"{token!r} is no UTF-8") from None

    def letter(self, among: bytes) -> str:
        """Take one of these letters."""
        letter = self._line[self._at : self._at + 1]
        if not letter or letter not in among:
            raise self.bad(f"one of {among.decode()} is expected")
        self._at += 1
        return letter.decode()
