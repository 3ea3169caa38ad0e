"""All rows of the contract, a module per subject: importing a module adds its rows."""

import importlib
import pkgutil

from tests.contract.behaviour import BEHAVIOURS

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

__all__ = ["BEHAVIOURS"]
