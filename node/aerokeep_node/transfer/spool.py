"""The folder of directory mode: only what this program has made there is ever taken away."""

import os
import shutil
from typing import Optional

from aerokeep_node.transfer.order import Order
from aerokeep_node.tree import Tree

MARK = ".aerokeep-transfer"
MIB = 1 << 20


def clear_spools(tree: Tree, order: Order) -> None:
    """Take away what killed jobs have left: there is one job on a host, and the caller is it."""
    for name in tree.listdir(order.directory):
        drop_spool(tree, order.directory, name)


def drop_spool(tree: Tree, directory: str, run: str) -> None:
    """Take away what a run's job has left."""
    if os.path.exists(tree.path(directory, run, MARK)):
        shutil.rmtree(tree.path(directory, run), ignore_errors=True)


def make_spool(tree: Tree, order: Order, name: str) -> str:
    """Make an empty folder for files of a part."""
    home = tree.path(order.directory, order.run)
    os.makedirs(home, mode=0o700, exist_ok=True)
    with open(os.path.join(home, MARK), "wb"):
        pass
    path = os.path.join(home, f"{name}.{order.token}")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o700)
    return path


def free_mib(path: str) -> Optional[int]:
    """Tell how much room is below a path that need not be there yet."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize // MIB
