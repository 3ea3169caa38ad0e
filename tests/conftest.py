"""What all tests share: a seeded sample of the long ones, for whoever has less time than all of them take."""

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--sample 40 --seed 7``: of the tests that are marked `sampled`, so many of a hundred, chosen by the seed."""
    parser.addoption("--sample", type=int, default=100, help="per cent of the tests marked `sampled` (default: all)")
    parser.addoption("--seed", type=int, default=1, help="which ones")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the others out; the same seed leaves the same ones out, in every worker."""
    percent = config.getoption("--sample")
    if percent >= 100:
        return
    long = sorted(item.nodeid for item in items if item.get_closest_marker("sampled"))
    chosen = set(random.Random(config.getoption("--seed")).sample(long, -(-len(long) * percent // 100)))  # noqa: S311  # a sample, no secret
    left_out = [item for item in items if item.get_closest_marker("sampled") and item.nodeid not in chosen]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
