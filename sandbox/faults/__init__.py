"""The fault plan: what is to break, when, and how often; written in YAML or in Python (docs/faults.md)."""

from sandbox.faults.arming import Armed, NeverStruckError, armed
from sandbox.faults.plan import Plan
from sandbox.faults.plan_file import PlanError, read_plan
from sandbox.faults.planes import RefusedFaultError

__all__ = ["Armed", "NeverStruckError", "Plan", "PlanError", "RefusedFaultError", "armed", "read_plan"]
