"""The ways in which a verb ends without success, each with its exit code and a stable error code."""


class RefusalError(Exception):
    """Refused by this host: it can't succeed as asked (exit 3)."""

    exit_code = 3

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code + ": " + detail)
        self.code = code
        self.detail = detail


class BadParameterError(RefusalError):
    """A parameter is malformed (exit 2)."""

    exit_code = 2


class HeldError(RefusalError):
    """Another write stop lives on this host (exit 4)."""

    exit_code = 4


class NotNowError(RefusalError):
    """Not now, perhaps later: the server does not answer, or an upload did not get through (exit 5)."""

    exit_code = 5
