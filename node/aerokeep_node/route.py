"""How this host's server is asked: over a plain socket, over TLS, or through asinfo where it wants a login."""

from typing import Any, Dict, NamedTuple, Optional

from aerokeep_node.asinfo import AsinfoConnection
from aerokeep_node.info import InfoConnection
from aerokeep_node.tls import TlsFiles


class Route(NamedTuple):
    """All that is needed to ask, also by somebody who finds it in a run directory."""

    address: str
    port: int
    tls: Optional[TlsFiles] = None
    """None: no TLS, or asinfo's own."""
    astools: Optional[str] = None
    """Where asinfo finds the login; None: none is needed."""

    def as_json(self) -> Dict[str, Any]:
        """Shape it for the run directory; no secret is in it."""
        return dict(self._asdict(), tls=None if self.tls is None else self.tls.as_json())

    def connection(self) -> InfoConnection:
        """Give a connection, which opens when it is first used."""
        if self.astools is not None:
            return AsinfoConnection(self.address, self.port, self.astools)
        return InfoConnection(self.address, self.port, self.tls)


def route_of(told: Dict[str, Any]) -> Route:
    """Take it from a run directory."""
    tls = told.get("tls")
    files = None if tls is None else TlsFiles(**tls)
    return Route(told["address"], int(told["port"]), files, told.get("astools"))
