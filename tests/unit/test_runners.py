"""Where asbackup or asrestore may run: the best host first, and what each one lacks where none can."""

import pytest
from aerokeep.model.cluster import ExportPolicy, RunnerChoice, Tag
from aerokeep.model.errors import RejectedError
from aerokeep.model.transfer_order import Compression, Encryption
from aerokeep.rules.runners import Candidate, rank, width

from tests.transfer_builders import a_candidate, a_policy, a_runner

EACH_RACK = a_policy(runner=RunnerChoice.EACH_RACK)
TAGGED = a_policy(runner=RunnerChoice.TAGGED, runner_tag=Tag(key="role", value="tools"))


def ranked(*candidates: Candidate, policy: ExportPolicy | None = None, tool: str = "asbackup") -> list[str]:
    return [runner.instance_id for runner in rank(candidates, {}, policy or a_policy(), tool=tool)]


def test_the_least_loaded_for_its_processors_comes_first() -> None:
    assert ranked(a_candidate(1, load=2.0, cpus=2), a_candidate(2, load=3.0, cpus=8), a_candidate(3, load=0.9)) == [
        "i-2",
        "i-3",
        "i-1",
    ]


def test_of_two_that_are_loaded_alike_it_is_always_the_same_one() -> None:
    assert ranked(a_candidate(2), a_candidate(1)) == ranked(a_candidate(1), a_candidate(2)) == ["i-1", "i-2"]


def test_where_each_rack_has_a_runner_the_best_of_each_comes_before_all_others() -> None:
    candidates = [
        a_candidate(1, rack_id=1, load=0.1),
        a_candidate(2, rack_id=1, load=0.2),
        a_candidate(3, rack_id=2, load=0.9),
        a_candidate(4, rack_id=2, load=0.8),
    ]
    assert ranked(*candidates, policy=EACH_RACK) == ["i-1", "i-4", "i-2", "i-3"]
    assert ranked(*candidates) == ["i-1", "i-2", "i-4", "i-3"]


def test_as_many_work_side_by_side_as_the_choice_means() -> None:
    runners = [a_runner(1, rack_id=1), a_runner(2, rack_id=1), a_runner(3, rack_id=2)]
    assert [width(runners, policy) for policy in (a_policy(), TAGGED, EACH_RACK)] == [1, 3, 2]


def test_a_host_without_the_tool_is_left_out_and_so_is_one_with_the_other_tool_alone() -> None:
    only_restores = a_candidate(1, tools={"asbackup": None, "asrestore": "4.5.8"})
    assert ranked(only_restores, a_candidate(2)) == ["i-2"]
    assert ranked(only_restores, tool="asrestore") == ["i-1"]


@pytest.mark.parametrize(
    ("compression", "needs"),
    [(Compression.GZIP, "gzip"), (Compression.ZSTD, "zstd"), (Compression.NONE, None)],
)
def test_a_host_needs_the_aws_cli_and_what_compresses(compression: Compression, needs: str | None) -> None:
    policy = a_policy(compression=compression)
    for name in ("aws", "gzip", "zstd"):
        lacking = a_candidate(1, programs={"aws": True, "gzip": True, "zstd": True, name: False})
        assert ranked(lacking, a_candidate(2), policy=policy)[0] == ("i-2" if name in ("aws", needs) else "i-1")


def test_with_encryption_the_tool_itself_compresses() -> None:
    encryption = Encryption(mode="aes256", key="secret:export")
    policy = a_policy(compression=Compression.ZSTD, encryption=encryption)
    assert ranked(a_candidate(programs={"aws": True}), policy=policy) == ["i-1"]


def test_where_nobody_can_it_is_told_what_each_one_lacks() -> None:
    candidates = [a_candidate(1, tools={}, programs={"gzip": True}), a_candidate(2, programs={"aws": True})]
    with pytest.raises(RejectedError) as refused:
        rank(candidates, {"i-3": "is not reached through SSM"}, a_policy(), tool="asbackup")
    assert str(refused.value) == (
        "no_runner: asbackup can run nowhere: i-1 has no asbackup, no aws; i-2 has no gzip; "
        "i-3 is not reached through SSM: install what lacks there, or name other hosts"
    )


def test_where_nobody_answered_that_is_told_too() -> None:
    with pytest.raises(RejectedError, match=r"^no_runner: asrestore can run nowhere: there is no host: "):
        rank([], {}, TAGGED, tool="asrestore")
