"""An export is cut into slices that make up the whole, and refused where it cannot succeed as asked."""

from collections import Counter
from typing import Any

import pytest
from aerokeep.model.cluster import DIRECTORY, ExportPolicy, RunnerChoice, Tag
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ClusterFound, Estimated, ExportPlan, ExportRequest
from aerokeep.model.transfer_order import Compression, Encryption, Mode, PartOrder
from aerokeep.rules.export_plan import (
    EXACT_BYTES_PER_S,
    GUARD_MARGIN_S,
    MIB,
    PARTITIONS,
    ROUND_S,
    SPARE,
    plan_export,
    require_sound,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, at
from tests.transfer_builders import a_found, a_policy, a_runner, an_estimate

RANGES = st.lists(
    st.integers(0, PARTITIONS - 1).flatmap(lambda begin: st.tuples(st.just(begin), st.integers(1, PARTITIONS - begin))),
    min_size=1,
    max_size=5,
)
DIRECTORY_MODE = {"mode": Mode.DIRECTORY}
ENCRYPTED = {"encryption": Encryption(mode="aes256", key="secret:export"), "compression": Compression.ZSTD}
RUNNERS = [a_runner(number) for number in (1, 2, 3)]


def planned(
    found: ClusterFound | None = None,
    estimated: Estimated | None = None,
    *,
    policy: ExportPolicy | None = None,
    lease_s: float = 20,
    **request: Any,  # noqa: ANN401 - any field
) -> ExportPlan:
    wanted = ExportRequest(cluster="demo", **request)
    return plan_export(wanted, policy or a_policy(), found or a_found(), estimated or an_estimate(), lease_s=lease_s)


def sound(policy: ExportPolicy, **request: Any) -> None:  # noqa: ANN401 - any field
    require_sound(ExportRequest(cluster="demo", **request), policy)


def partitions_of(part: PartOrder) -> list[int]:
    """All, where none are named."""
    if part.partitions is None:
        return list(range(PARTITIONS))
    ranges = [tuple(map(int, words.split("-"))) for words in part.partitions.split(",")]
    return [number for begin, size in ranges for number in range(begin, begin + size)]


@given(st.integers(1, 32))
def test_slices_make_up_all_partitions_each_exactly_once(slices: int) -> None:
    parts = planned(policy=a_policy(slices=slices)).parts
    assert len(parts) == slices
    assert Counter(number for part in parts for number in partitions_of(part)) == Counter(range(PARTITIONS))
    sizes = [len(partitions_of(part)) for part in parts]
    assert max(sizes) - min(sizes) < slices


@given(RANGES, st.integers(1, 32))
def test_slices_make_up_the_partitions_that_were_asked_for_each_exactly_once(
    ranges: list[tuple[int, int]], slices: int
) -> None:
    asked = ",".join(f"{begin}-{size}" for begin, size in ranges)
    wanted = {number for begin, size in ranges for number in range(begin, begin + size)}
    parts = planned(policy=a_policy(slices=slices), partitions=asked).parts
    assert 1 <= len(parts) <= min(slices, len(wanted))
    assert Counter(number for part in parts for number in partitions_of(part)) == Counter(wanted)


def test_a_single_partition_may_be_named_by_its_number() -> None:
    assert [part.partitions for part in planned(partitions="7,4095").parts] == ["7-1,4095-1"]


def test_a_whole_namespace_names_no_partitions() -> None:
    assert [(part.name, part.partitions) for part in planned(a_found("a", "b")).parts] == [
        ("a-00", None),
        ("b-00", None),
    ]


def test_the_first_slice_of_each_namespace_alone_carries_indexes_and_udfs() -> None:
    parts = planned(a_found("a", "b"), policy=a_policy(slices=3)).parts
    assert [part.name for part in parts if part.metadata] == ["a-00", "b-00"]
    assert len(parts) == 6


def test_every_runner_that_works_side_by_side_has_a_slice_of_each_namespace() -> None:
    found = a_found("a", runners=RUNNERS)
    tagged = a_policy(runner=RunnerChoice.TAGGED, runner_tag=Tag(key="role", value="tools"))
    plan = planned(found, policy=tagged)
    assert (len(plan.parts), plan.width) == (3, 3)
    assert planned(found, policy=tagged.model_copy(update={"slices": 8})).width == 3
    assert (len(planned(found).parts), planned(found).width) == (1, 1)


def test_in_directory_mode_the_tool_cuts_the_files_itself() -> None:
    plan = planned(policy=a_policy(**DIRECTORY_MODE, slices=4), estimated=an_estimate(1))
    assert [part.partitions for part in plan.parts] == [None]


def test_the_size_that_is_told_to_the_upload_is_an_even_share_with_something_to_spare() -> None:
    parts = planned(a_found("test", "other"), an_estimate(test=100), policy=a_policy(slices=2)).parts
    share = int(1000 * 100 * SPARE / 2)
    assert [part.expected_bytes for part in parts] == [share, share, 0, 0]


def test_only_the_namespaces_that_are_named_are_exported() -> None:
    assert [part.namespace for part in planned(a_found("a", "b", "c"), namespaces=("c", "a")).parts] == ["c", "a"]


def test_a_namespace_that_the_cluster_has_not_is_named_with_those_that_it_has() -> None:
    with pytest.raises(RejectedError, match=r"^unknown_namespace: field 'namespaces': x, y; the cluster has a, b$"):
        planned(a_found("b", "a"), namespaces=("x", "a", "y"))


def test_more_parts_than_a_host_can_tell_of_are_refused() -> None:
    names = [f"n{number}" for number in range(9)]
    assert len(planned(a_found(*names[:8]), policy=a_policy(slices=8)).parts) == 64
    with pytest.raises(RejectedError, match="too_many_parts: 9 namespaces of 8 slices are more than 64: name fewer"):
        planned(a_found(*names), policy=a_policy(slices=8))


def test_in_directory_mode_runners_without_room_are_left_out() -> None:
    runners = [a_runner(1, free_mib=125), a_runner(2, free_mib=127)]
    plan = planned(a_found(runners=runners), an_estimate(100 * MIB), policy=a_policy(**DIRECTORY_MODE))
    assert [runner.instance_id for runner in plan.runners] == ["i-2"]
    stream = planned(a_found(runners=[a_runner(free_mib=0)]), an_estimate(100 * MIB))
    assert len(stream.runners) == 1


def test_where_nobody_has_the_room_it_is_told_how_much_is_needed_and_what_helps() -> None:
    runners = [a_runner(1, free_mib=100), a_runner(2, free_mib=120)]
    with pytest.raises(RejectedError) as refused:
        planned(a_found(runners=runners), an_estimate(100 * MIB), policy=a_policy(**DIRECTORY_MODE))
    assert str(refused.value) == (
        f"disk_too_small: the export takes 126 MiB below {DIRECTORY}, at most 120 MiB are free on a runner: "
        "name another directory, or use mode stream"
    )


def test_of_a_directory_that_hosts_do_not_tell_of_only_the_job_can_judge() -> None:
    policy = a_policy(**DIRECTORY_MODE, directory="/mnt/large/transfer")
    assert planned(a_found(runners=[a_runner(free_mib=1)]), an_estimate(100 * MIB), policy=policy).width == 1


def test_an_exact_export_must_fit_into_the_lease() -> None:
    fits = int((20 - GUARD_MARGIN_S - ROUND_S) * EXACT_BYTES_PER_S / SPARE)
    assert planned(estimated=an_estimate(fits), exact=True, lease_s=20)
    with pytest.raises(RejectedError) as refused:
        planned(estimated=an_estimate(fits + MIB), exact=True, lease_s=20)
    assert refused.value.code == "exact_too_long"
    assert (
        "writes may be stopped for 20 s: name fewer namespaces or sets, more at_once, a longer write_stop.lease_s"
        in str(refused.value)
    )
    assert planned(estimated=an_estimate(fits + MIB), lease_s=20)


def test_a_bandwidth_limit_counts_for_an_exact_export() -> None:
    slow = a_policy(bandwidth_mibps=1)
    assert planned(estimated=an_estimate(10 * MIB), exact=True, lease_s=20, policy=slow)
    with pytest.raises(RejectedError, match="exact_too_long: the export is estimated at 29 s"):
        planned(estimated=an_estimate(20 * MIB), exact=True, lease_s=20, policy=slow)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "not of one instant"),
        ({"modified_after": NOON}, "it holds no deletes"),
        ({"sets": ("users",)}, "a part of the cluster"),
        ({"partitions": "0-1"}, "a part of the cluster"),
        ({"modified_before": NOON}, "a part of the cluster"),
        ({"exact": True}, "users, roles, truncate thresholds"),
    ],
)
def test_what_an_export_does_not_hold_is_noted(request_: dict[str, Any], words: str) -> None:
    assert any(note.startswith(words) or words in note for note in planned(**request_).notes)
    assert request_.get("exact") is not True or not any("not of one instant" in n for n in planned(**request_).notes)


@pytest.mark.parametrize(
    ("policy", "request_", "words"),
    [
        ({"runner": RunnerChoice.TAGGED}, {}, "no_runner_tag: runner is tagged, but export.runner_tag"),
        (
            {**ENCRYPTED, "compression": Compression.GZIP},
            {},
            "field 'compression': encrypted bytes do not compress.*name zstd or none",
        ),
        (DIRECTORY_MODE, {"slices": 2}, "field 'slices': in directory mode .*: leave it out"),
        (DIRECTORY_MODE, {"exact": True}, "field 'exact': under the guard .*: use mode stream"),
        (
            {"runner": RunnerChoice.TAGGED, "runner_tag": Tag(key="a", value="b")},
            {"exact": True},
            "field 'exact': only a node can prove when it read: name runner least_loaded",
        ),
        (ENCRYPTED, {"sample_partitions": 4}, "field 'sample_partitions': an encrypted export can't be compared"),
        ({}, {"partitions": "4095-2"}, "field 'partitions': there is no partition 4096"),
        ({}, {"partitions": "9999"}, "field 'partitions': there is no partition 9999"),
        ({}, {"partitions": "0-10,5-0"}, "field 'partitions': 5-0 holds none: write begin-count"),
    ],
)
def test_bad_input_that_contradicts_itself_is_refused_before_anything_is_asked(
    policy: dict[str, Any], request_: dict[str, Any], words: str
) -> None:
    with pytest.raises(RejectedError, match=words):
        sound(a_policy(**policy), **request_)


@pytest.mark.parametrize(
    ("policy", "request_"),
    [
        ({}, {"exact": True, "sample_partitions": 4, "partitions": "0-4096"}),
        (ENCRYPTED, {}),
        ({**ENCRYPTED, "compression": Compression.NONE}, {}),
        (DIRECTORY_MODE, {}),
        ({**DIRECTORY_MODE, "slices": 4}, {}),
        ({"slices": 8}, {"exact": True}),
        ({"runner": RunnerChoice.EACH_RACK}, {"exact": True}),
    ],
)
def test_what_does_not_contradict_itself_is_sound(policy: dict[str, Any], request_: dict[str, Any]) -> None:
    sound(a_policy(**policy), **request_)


def test_what_a_request_says_counts_for_more_than_what_was_deployed_and_the_rest_stays() -> None:
    deployed = a_policy(slices=4, records_per_second=100, tries=7, compression=Compression.ZSTD)
    said = ExportRequest(cluster="demo", slices=2, records_per_second=0, mode=Mode.STREAM, verify="sizes")
    policy = said.policy(deployed)
    assert (policy.slices, policy.records_per_second, policy.tries, policy.verify) == (2, 0, 7, "sizes")
    assert policy.compression is Compression.ZSTD
    assert ExportRequest(cluster="demo").policy(deployed) == deployed


def test_times_are_named_in_their_order() -> None:
    with pytest.raises(ValueError, match="modified_after must lie before modified_before"):
        ExportRequest(cluster="demo", modified_after=at(10), modified_before=at(10))
