"""Start the host program: ``python3 aerokeep-node.pyz <verb>``."""

import sys

from aerokeep_node.entry import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
