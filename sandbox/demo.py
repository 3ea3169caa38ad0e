"""``make demo``: back up a live cluster through the shipped templates, then prove the recovery point."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from aerokeep.model.consistency import Consistency
from aerokeep.model.recovery_point import Manifest

from sandbox import demo_faults
from sandbox.demo_estate import (
    CLUSTER,
    DemoEstate,
    DemoFailedError,
    deployed,
    live_cluster,
    options_of,
    pace_wanted,
    recorded,
    writing,
)
from sandbox.proof import Verdict, prove

UNHURRIED = {"lead_s": 60, "lease_s": 20, "budget_s": 10}
"""With AWS's own latencies the lead is as long as in clusters.yaml: what a write stop is made of is never scaled."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo → 0 only if the recovery point kept its promise."""
    options = options_of("make demo", __doc__, argv)
    if options.faults:
        return demo_faults.play(options)
    began = time.monotonic()
    try:
        with deployed(options.mode, pace=pace_wanted(options)) as estate, recorded(estate.region, options.record):
            settings = {"write_stop": UNHURRIED} if options.latency else {}
            point, verdict = _back_up_and_prove(estate, settings, rate=options.rate, load_s=options.load_s)
    except DemoFailedError as error:
        print(f"demo: {error}", flush=True)
        return 1
    estate.screen.say(f"everything is put away again; {time.monotonic() - began:.0f} s in all")
    return _last_line(point, verdict, estate.plane.mode)


def _back_up_and_prove(
    estate: DemoEstate, settings: Mapping[str, Any], *, rate: int, load_s: float
) -> tuple[Manifest, Verdict]:
    with live_cluster(estate, **settings) as cluster:
        with writing(estate, cluster, rate=rate) as writer:
            writer.wait_for_load(load_s)
            estate.screen.heading("backup")
            estate.run("backup", cluster=CLUSTER)
            time.sleep(1.5)  # writes from after the cut, which the point must not hold
        manifest = estate.vault.newest_manifest(CLUSTER)
        estate.screen.heading("what was taken")
        estate.screen.point(manifest, estate.vault.evidence(manifest))
        estate.screen.heading("proof: a cold start on copies of the snapshots, judged by the witness")
        smd = estate.vault.smd(manifest)
        verdict = prove(estate.plane, manifest, smd=smd, ledger=writer.ledger, size_of=estate.region.pace.gib_bytes)
        estate.screen.proof(verdict)
        return manifest, verdict


def _last_line(manifest: Manifest, verdict: Verdict, mode: str) -> int:
    """Say what is true, and end 0 only if it is what was promised."""
    volumes = sum(len(cut.snapshots) for cut in manifest.cuts)
    stopped = 0.0 if manifest.label.write_stop_s is None else manifest.label.write_stop_s
    line = (
        f"demo: point={manifest.point_id} consistency={manifest.label.consistency} nodes={len(manifest.cuts)} "
        f"volumes={volumes} write_stop_s={stopped:.2f} lost={verdict.lost} from_after_cut={verdict.from_after_cut}"
    )
    print(line + (" mode=directory" if mode == "directory" else ""), flush=True)
    kept = manifest.label.consistency is Consistency.CLUSTER and verdict.lost == 0 and verdict.from_after_cut == 0
    # A value that nobody wrote would be as bad as one that is missing; and a ledger without writes proves nothing.
    return 0 if kept and verdict.raw["unexplained"] == 0 and verdict.before_cut > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
