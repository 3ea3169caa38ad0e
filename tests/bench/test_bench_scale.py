"""A large cluster through the whole backup journey, on the light data plane: what grows, and what must not."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.crash.field import CDK_OUT, PACE, TAG, Execution, Field
from tests.crash.invariants import MOST_STATE_BYTES, largest_state

NODES = 200
RAW_DEVICES = tuple(f"/dev/sd{letter}" for letter in "ghijklm")
"""With the one of the filesystem each node has eight data volumes."""
TRANSITION = "StateEntered"


@pytest.fixture(params=[PACE.wait_scale, 1.0], ids=["scaled waits", "AWS's own quotas and waits"])
def field(request: pytest.FixtureRequest) -> Iterator[Field]:
    """Everything deployed. With real waits request quotas are the real ones too: buckets fill as fast as waits go."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    made = Field.open(pace=replace(PACE, wait_scale=request.param))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.timeout(1800)
def test_two_hundred_nodes_with_eight_volumes_each(field: Field) -> None:
    name, volumes = "large", len(RAW_DEVICES) + 1
    began = time.monotonic()
    field.configure(name, consistency="crash")
    field.clusters.launch(name, tag=(TAG, name), nodes=NODES, raw_devices=RAW_DEVICES)
    launched_s = time.monotonic() - began
    began = time.monotonic()
    with field.region.recorder.recording() as record:
        ended: Execution = field.run("backup", name, {"cluster": name})
    wall_s = time.monotonic() - began
    assert ended.status == "SUCCEEDED", ended.words
    manifest = field.manifest(name, str(ended.output["point"]))
    taken = sum(len(cut["snapshots"]) for cut in manifest["cuts"])
    assert manifest["label"]["consistency"] == "crash"
    assert taken >= NODES * volumes
    transitions = sum(str(event["type"]).endswith(TRANSITION) for event in ended.events)
    largest = largest_state(ended)
    calls = Counter(f"{call.service}.{call.action}" for call in record.calls if call.function)
    failed = Counter(call.outcome for call in record.calls if call.function and call.outcome)
    waits = f"wait_scale={field.region.pace.wait_scale:g}"
    print(f"\nbench: backup nodes={NODES} volumes={NODES * volumes} snapshots={taken} label=crash {waits}")
    print(f"bench: wall_s={wall_s:.0f} (launch {launched_s:.0f}) transitions={transitions} events={len(ended.events)}")
    print(f"bench: largest_state_bytes={largest} of {MOST_STATE_BYTES}")
    print(f"bench: calls={sum(calls.values())} " + " ".join(f"{name}={n}" for name, n in calls.most_common()))
    print(f"bench: refused={dict(failed)}")
    assert largest <= MOST_STATE_BYTES
