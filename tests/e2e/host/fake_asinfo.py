"""Stands in for ``asinfo``: logs in with what the given file holds, and prints what the server says to one who has."""

import argparse
import configparser
import socket
import struct
import sys

HEADER = struct.Struct(">Q")


def main() -> int:
    """Ask one question, as the real one's command line does."""
    parser = argparse.ArgumentParser(add_help=False)
    for option in ("--only-config-file", "-h", "-p", "-v"):
        parser.add_argument(option, required=True)
    told = vars(parser.parse_args())
    login = configparser.ConfigParser()
    login.read(told["only_config_file"])
    user = login.get("cluster", "user", fallback='""').strip('"')
    with socket.create_connection((told["h"], int(told["p"]))) as connection:
        body = f"{user}@{told['v']}\n".encode()
        connection.sendall(HEADER.pack((2 << 56) | (1 << 48) | len(body)) + body)
        stream = connection.makefile("rb")
        (head,) = HEADER.unpack(stream.read(HEADER.size))
        value = stream.read(head & ((1 << 48) - 1)).decode().rstrip("\n").partition("\t")[2]
    sys.stdout.write(value + "\n")
    # Like the real one: 1 where the text has "error:" in it, 0 where it is a bare "error".
    return int("error:" in value.lower())


if __name__ == "__main__":
    sys.exit(main())
