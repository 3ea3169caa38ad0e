"""What a server calls itself where its conf does not say."""


def made_of(node_id: str, mac_address: str) -> bool:
    """Whether a server with this MAC calls itself so: the fabric's port, then the bytes of the MAC from behind.

    Source: aerospike.md §D6; ``BB9020011AC4202`` is port 0x0BB9 with the MAC ``02:42:AC:11:00:02``.
    """
    octets = mac_address.upper().split(":")
    return len(octets) == 6 and node_id.upper().endswith("".join(reversed(octets)))  # noqa: PLR2004 - bytes of a MAC
