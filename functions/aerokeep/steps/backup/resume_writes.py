"""State ``ResumeWrites``: end the write stop, bring the evidence home, and say which label it supports."""

from aerokeep.aws.vault import Runs
from aerokeep.model.consistency import Label, Shortfall
from aerokeep.model.errors import NotReadyError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Cut
from aerokeep.model.run import RunRef
from aerokeep.rules.consistency import judge_consistency, with_circumstances
from aerokeep.steps.shared.resuming import NOBODY, Resumer
from aerokeep.steps.shared.tries import former_tries
from aerokeep.steps.step import Meter, logger, step


def run(request: RunRef, *, runs: Runs, resumer: Resumer, meter: Meter) -> Label:
    """Let go first, judge after: a label that is too low costs a point, never the cluster its writes.

    Raises:
        NotReadyError: the evidence supports less than was wanted, and the operator's policy is to abort.

    """
    plan = runs.read(request, "plan", BackupPlan)
    window = runs.find(request, request.of_try("window"), Window)
    resumed = NOBODY
    if window is not None and window.go:
        resumed = resumer.end(request, plan, window, tombstone=False)
        runs.write(request, "evidence", resumed)
    called_off = window.no_go_reason if window is not None and not window.go else None
    cut = runs.read(request, "cut", Cut)
    judged = judge_consistency(plan, cut=cut, evidence=resumed.evidence, called_off=called_off)
    label = with_circumstances(judged, window=window, failed_tries=former_tries(request, runs))
    runs.write(request, "label", label)
    if label.write_stop_s is not None:
        meter.record(request.cluster, WriteStopSeconds=label.write_stop_s, LeasesEnded=resumed.leases_ended)
    logger.info("consistency judged", label=label.consistency, reasons=label.reasons[:5], seconds=label.write_stop_s)
    if not label.consistency.meets(plan.wanted) and plan.shortfall is Shortfall.ABORT:
        raise NotReadyError(
            f"consistency_shortfall: the evidence supports {label.consistency}, wanted was {plan.wanted}: "
            f"{'; '.join(label.reasons[:5])}"
        )
    return label.model_copy(update={"reasons": label.reasons[:20]})


handler = step(run)
