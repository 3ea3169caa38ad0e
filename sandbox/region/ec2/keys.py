"""Whether EBS can use a KMS key: nobody asks when a call is made, and what needs the key fails afterwards."""

from typing import TYPE_CHECKING, Any

from moto.kms.models import kms_backends

if TYPE_CHECKING:
    from sandbox.region.region import Region

NOT_ACCESSIBLE = "Given key ID is not accessible"
Moto = Any


class Keys:
    """The account's keys as EBS sees them."""

    def __init__(self, region: "Region") -> None:
        self._region = region

    def _find(self, key_id: str) -> Moto:
        """A key by id, ARN, alias or alias ARN; None if this Region has none of this name."""
        backend = kms_backends[self._region.account][self._region.region]
        name = key_id.partition(":alias/")
        if key_id.startswith("alias/") or name[1]:
            alias = f"alias/{name[2]}" if name[1] else key_id
            return next((key for key in list(backend.keys.values()) if alias in key.aliases), None)
        wanted = key_id.partition(":key/")[2] or key_id
        key = next((key for key in list(backend.keys.values()) if key.id == wanted), None)
        return None if key is not None and key_id.startswith("arn:") and key.arn != key_id else key

    def arn(self, key_id: str) -> str:
        """The ARN of a key, or what was given if there is no such key."""
        key = self._find(key_id)
        return str(key.arn) if key is not None else key_id

    def doom(self, *key_ids: str | None) -> str:
        """Why what needs these keys is going to fail; empty if they can all be used."""
        found = [self._find(key_id) for key_id in key_ids if key_id]
        return "" if all(key is not None and key.key_state == "Enabled" for key in found) else NOT_ACCESSIBLE
