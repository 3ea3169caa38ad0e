"""``python -m sandbox.schema``: give a cluster the metadata that a backup must bring along: a secondary index."""

import argparse
import time

import aerospike
from aerospike.exception import AerospikeError

INDEX = "witness_by_n"
TIMEOUT_S = 20.0


def main() -> None:
    """Create the index and wait until every node has it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.schema", description=__doc__)
    parser.add_argument("--seeds", required=True, help="ip:port[,ip:port…]")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--set", required=True)
    parser.add_argument("--bin", required=True)
    options = parser.parse_args()
    hosts = [(ip, int(port)) for ip, _, port in (seed.partition(":") for seed in options.seeds.split(","))]
    client = aerospike.client({"hosts": hosts}).connect()
    try:
        where = f"namespace={options.namespace};set={options.set};bin={options.bin}"
        deadline = time.monotonic() + TIMEOUT_S
        # Of nodes that are about to join, a slow one may not hear of the index in time: it is asked for again.
        while not (_created(client, where) and _everywhere(client)):
            if time.monotonic() > deadline:
                raise SystemExit(f"the index {INDEX} did not reach every node")
            time.sleep(0.1)
    finally:
        client.close()


def _created(client: aerospike.Client, where: str) -> bool:
    try:
        client.info_random_node(f"sindex-create:{where};indexname={INDEX};type=numeric")
    except AerospikeError:
        return False
    return True


def _everywhere(client: aerospike.Client) -> bool:
    answers = client.info_all("sindex-list:").values()
    return all(error is None and INDEX in (text or "") for error, text in answers)


if __name__ == "__main__":
    main()
