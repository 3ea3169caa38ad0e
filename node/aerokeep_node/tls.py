"""TLS to this host's own server, trusted by what its conf names."""

import os
import ssl
from typing import Any, Dict, NamedTuple, Optional

from aerokeep_node.conf import Context

_ELSEWHERE = ("secrets:", "env:", "env-b64:", "vault:")
"""Values that the server fetches from somewhere else than a file."""


class TlsFiles(NamedTuple):
    """Paths of the conf's ``tls`` context; the server's own certificate serves where it asks for the client's too."""

    authority: Optional[str]
    """Whose signature its certificate must bear."""
    certificate: Optional[str]
    """The one it presents: the only one to be trusted where there is no authority."""
    key: Optional[str]
    """None unless clients must show a certificate."""

    def as_json(self) -> Dict[str, Any]:
        """Shape it for the run directory."""
        return dict(self._asdict())


def tls_files(network: Context, service: Context) -> TlsFiles:
    """Find them in the conf."""
    name = service.get("tls-name")
    tls = (network.child("tls", name) if name else None) or network.child("tls") or Context(())
    mutual = service.get("tls-authenticate-client", "any") != "false"  # the server's own default asks for it
    return TlsFiles(_path(tls, "ca-file"), _path(tls, "cert-file"), _path(tls, "key-file") if mutual else None)


def _path(tls: Context, setting: str) -> Optional[str]:
    value = tls.get(setting)
    return None if value is None or value.startswith(_ELSEWHERE) or not os.access(value, os.R_OK) else value


def is_usable(files: TlsFiles) -> bool:
    """Whether there is anything to trust the server by."""
    return files.authority is not None or files.certificate is not None


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Shape the client's side.

    Raises:
        OSError: a file can't be read or is none of its kind.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The certificate names the cluster, not the address by which this host reaches its own server.
    context.check_hostname = False
    if files.authority is None:
        context.verify_mode = ssl.CERT_NONE  # judged by `is_expected` instead
    else:
        context.load_verify_locations(files.authority)
    if files.key is not None and files.certificate is not None:
        # Where the key wants a password this fails, instead of asking for one on a terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    return context


def is_expected(files: TlsFiles, presented: Optional[bytes]) -> bool:
    """Whether the certificate is the conf's own, where no authority vouches for it."""
    if files.authority is not None:
        return True
    with open(str(files.certificate), encoding="ascii") as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    first = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)]
    return presented == ssl.PEM_cert_to_DER_cert(first)
