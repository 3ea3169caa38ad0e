"""State ``ResumeWrites``: end the write stop, bring the evidence home, and say which label it supports."""

from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Label, Shortfall
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Cut
from aerokeep.model.run import RunRef
from aerokeep.rules.consistency import judge_consistency
from aerokeep.steps.shared.resuming import Resumed, after_the_lease, resume_writes
from aerokeep.steps.step import Clock, Meter, logger, step


def run(request: RunRef, *, runs: Runs, hosts: Hosts, clock: Clock, meter: Meter) -> Label:
    """Let go first, judge after: a label that is too low costs a point, never the cluster its writes.

    Raises:
        NotReadyError: the evidence supports less than was wanted, and the operator's policy is to abort.

    """
    plan = runs.read(request, "plan", BackupPlan)
    window = runs.find(request, "window", Window)
    resumed = Resumed(evidence={}, let_go=(), unheard={})
    if window is not None and window.go:
        resumed = resume_writes(
            request, plan, until=after_the_lease(window, now=clock()), hosts=hosts, clock=clock, tombstone=False
        )
        runs.write(request, "evidence", resumed)
    called_off = window.no_go_reason if window is not None and not window.go else None
    cut = runs.read(request, "cut", Cut)
    label = judge_consistency(plan, cut=cut, evidence=resumed.evidence, called_off=called_off)
    runs.write(request, "label", label)
    if label.write_stop_s is not None:
        ended = sum(told.ended_by == "lease" for told in resumed.evidence.values())
        meter.record(request.cluster, WriteStopSeconds=label.write_stop_s, LeasesEnded=ended)
    logger.info("consistency judged", label=label.consistency, reasons=label.reasons[:5], seconds=label.write_stop_s)
    if not label.consistency.meets(plan.wanted) and plan.shortfall is Shortfall.ABORT:
        raise NotReadyError(
            f"consistency_shortfall: the evidence supports {label.consistency}, wanted was {plan.wanted}: "
            f"{'; '.join(label.reasons[:5])}"
        )
    return label.model_copy(update={"reasons": label.reasons[:20]})


handler = step(run)
