"""What the Lambdas order of a host's transfer job is what the host program understands, and what it answers fits."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from aerokeep.aws.exports import Exports
from aerokeep.model.cluster import Directory, ExportPolicy
from aerokeep.model.export import ExportRequest, NamespaceName, SetName
from aerokeep.model.import_ import ImportRequest
from aerokeep.model.transfer import JobState, JobStatus
from aerokeep.model.transfer_order import (
    Compression,
    Encryption,
    KeyOrder,
    Kind,
    Mode,
    PartOrder,
    Sample,
    Server,
    TransferOrder,
    WriteRule,
)
from aerokeep.rules.export_plan import plan_export
from aerokeep.steps.shared.ordering import base_order, selected
from aerokeep_node.refusal import RefusalError
from aerokeep_node.transfer.order import EXPORT_KINDS, IMPORT_KINDS, Order, parse_order
from aerokeep_node.transfer.progress import blank_status, first_progress, part_error
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import StringConstraints, ValidationError

from tests.builders import NOON, a_run, at
from tests.transfer_builders import (
    EXPORT,
    TOKEN,
    VERSION,
    a_found,
    a_listing,
    a_part_order,
    a_policy,
    an_estimate,
    an_order,
)
from tests.unit.steps.stubbed import a_stub

RUN = a_run(journey="export", run_id=EXPORT)
KEY_CHECK = "0123456789abcdef"


def form_of(kind: Any) -> str:  # noqa: ANN401 - an annotated type
    """The pattern that a field's values are checked by."""
    constraints = next(told for told in get_args(kind) if isinstance(told, StringConstraints))
    return str(constraints.pattern)


def texts(kind: Any) -> st.SearchStrategy[str]:  # noqa: ANN401 - an annotated type
    """Whatever a field takes."""
    return st.from_regex(form_of(kind), fullmatch=True)


KEYS = texts(Encryption.model_fields["key"].rebuild_annotation())
RANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 2000)), min_size=1, max_size=4).map(
    lambda ranges: ",".join(f"{begin}-{size}" for begin, size in ranges)
)
POLICIES: st.SearchStrategy[ExportPolicy] = st.builds(
    ExportPolicy,
    mode=st.sampled_from(Mode),
    directory=texts(Directory),
    at_once=st.integers(1, 16),
    slices=st.integers(1, 32),
    parallel=st.integers(1, 64),
    file_mib=st.integers(1, 1 << 20),
    records_per_second=st.integers(0, 10**9),
    bandwidth_mibps=st.integers(0, 10**6),
    nice=st.integers(0, 19),
    compression=st.sampled_from([Compression.NONE, Compression.ZSTD]),
    encryption=st.none() | st.builds(Encryption, mode=st.sampled_from(["aes128", "aes256"]), key=KEYS),
    silence_s=st.integers(60, 86_400),
)
REQUESTS: st.SearchStrategy[ExportRequest] = st.builds(
    ExportRequest,
    cluster=st.just("demo"),
    sets=st.lists(texts(SetName), max_size=3).map(tuple),
    modified_after=st.none() | st.just(NOON),
    modified_before=st.none() | st.just(at(60)),
    partitions=st.none() | RANGES,
)


def exports() -> Exports:
    client, _ = a_stub("s3")
    return Exports(client, "vault")


def parsed(order: TransferOrder) -> Order:
    return parse_order(order.document(), EXPORT_KINDS if order.kind in EXPORT_KINDS else IMPORT_KINDS)


@pytest.mark.parametrize("kind", Kind)
def test_an_order_of_any_kind_is_one_that_the_host_takes(kind: Kind) -> None:
    order = parsed(an_order(kind))
    assert (order.kind, order.run, order.token, order.address, order.port) == (kind, EXPORT, TOKEN, "10.77.0.11", 3000)
    assert [part.name for part in order.parts] == ["test-00"]


@pytest.mark.parametrize("kind", Kind)
def test_a_field_that_the_host_has_no_use_for_is_refused_there_and_so_not_told(kind: Kind) -> None:
    for changes in ({"surplus": 1}, {"parts": [{**an_order(kind).document()["parts"][0], "surplus": 1}]}):
        with pytest.raises(RefusalError, match="surplus"):
            parse_order({**an_order(kind).document(), **changes}, (kind.value,))


@settings(max_examples=50, deadline=None)
@given(POLICIES, REQUESTS, st.lists(texts(NamespaceName), min_size=1, max_size=2, unique=True), st.booleans())
def test_whatever_policy_and_request_say_of_an_export_the_host_takes(
    policy: ExportPolicy,
    request: ExportRequest,
    namespaces: list[str],
    guarded: bool,  # noqa: FBT001 - drawn
) -> None:
    plan = plan_export(request, policy, a_found(*namespaces), an_estimate(0), lease_s=20)
    base = selected(base_order(RUN, Kind.EXPORT, policy, exports(), server=plan.server), request, policy)
    window = {"begin_at": NOON.timestamp(), "end_at": at(10).timestamp()} if guarded else {}
    ordered = base.model_copy(update={"token": TOKEN, "parts": plan.parts, "prefer_rack": 1, **window})
    if ".." in policy.directory.split("/"):
        return  # clusters.yaml takes none
    order = parsed(ordered)
    assert [(p.name, p.namespace, p.partitions, p.metadata) for p in order.export_parts] == [
        (p.name, p.namespace, p.partitions, p.metadata) for p in plan.parts
    ]
    said = None if policy.encryption is None else (policy.encryption.mode, policy.encryption.key)
    assert (None if order.encryption is None else (order.encryption.mode, order.encryption.key)) == said
    assert (order.sets, order.mode, order.compression) == (request.sets, policy.mode, policy.compression)
    assert (order.begin_at is not None, order.prefer_rack) == (guarded, 1)


@settings(max_examples=50, deadline=None)
@given(POLICIES, st.sampled_from(WriteRule), st.integers(0, 315_360_000), st.integers(0, 1000), st.booleans())
def test_whatever_policy_and_request_say_of_an_import_the_host_takes(
    policy: ExportPolicy,
    write: WriteRule,
    ttl_s: int,
    skip: int,
    metadata: bool,  # noqa: FBT001 - drawn
) -> None:
    request = ImportRequest(cluster="demo", export=EXPORT, write=write, extra_ttl_s=ttl_s)
    base = base_order(RUN, Kind.IMPORT, policy, exports(), server=Server(address="10.77.0.11", port=3000))
    part = a_part_order(target="fresh", listing=a_listing(), skip=skip, metadata=metadata)
    key = None if policy.encryption is None else KeyOrder(**policy.encryption.model_dump(), check=KEY_CHECK)
    changes = {"write": request.write, "extra_ttl_s": request.extra_ttl_s, "encryption": key}
    ordered = base.model_copy(update={"token": TOKEN, "parts": (part,), **changes})
    if ".." in policy.directory.split("/"):
        return  # clusters.yaml takes none
    order = parsed(ordered)
    (found,) = order.import_parts
    assert (found.target, found.skip, found.metadata, found.listing_key) == ("fresh", skip, metadata, a_listing().key)
    assert (order.write, order.extra_ttl_s) == (write, ttl_s)
    assert (order.encryption.check if order.encryption else None) == (KEY_CHECK if key else None)


TAKES: dict[str, tuple[Callable[[str], object], Callable[[str], TransferOrder]]] = {
    "set": (lambda text: ExportRequest(cluster="demo", sets=(text,)), lambda text: an_order(sets=(text,))),
    "namespace": (
        lambda text: ExportRequest(cluster="demo", namespaces=(text,)),
        lambda text: an_order(parts=(PartOrder(name=f"{text}-00", namespace=text),)),
    ),
    "directory": (lambda text: a_policy(directory=f"/var/{text}"), lambda text: an_order(directory=f"/var/{text}")),
    "key file": (
        lambda text: Encryption(mode="aes256", key=f"file:/{text}"),
        lambda text: an_order(compression="none", encryption=KeyOrder(mode="aes256", key=f"file:/{text}")),
    ),
    "secret": (
        lambda text: Encryption(mode="aes256", key=f"secret:{text}"),
        lambda text: an_order(compression="none", encryption=KeyOrder(mode="aes256", key=f"secret:{text}")),
    ),
}


@pytest.mark.parametrize("field", TAKES)
def test_no_character_passes_the_input_and_fails_on_the_host(field: str) -> None:
    says, orders = TAKES[field]
    for text in (form.format(chr(code)) for code in range(32, 256) for form in ("a{}b", "{}b", "a{}")):
        try:
            says(text)
        except ValidationError:
            continue
        parsed(orders(text))


def test_a_verification_may_have_a_sample() -> None:
    assert parsed(an_order(Kind.VERIFY, sample=Sample(partitions=(0, 4095)))).sample == (0, 4095)
    assert parsed(an_order(Kind.VERIFY)).sample == ()


def test_partitions_in_several_ranges_are_taken_and_one_range_beyond_the_last_partition_is_refused() -> None:
    (part,) = parsed(an_order(parts=(a_part_order(partitions="0-10,4000-96"),))).export_parts
    assert part.partitions == "0-10,4000-96"
    for wrong in ("0-10,4000-97", "0-10,5-0"):
        with pytest.raises(RefusalError, match="partitions"):
            parsed(an_order(parts=(a_part_order(partitions=wrong),)))


def test_an_estimate_of_all_namespaces_is_one_job() -> None:
    parts = tuple(PartOrder(name=name, namespace=name) for name in ("test", "other"))
    assert [part.namespace for part in parsed(an_order(Kind.ESTIMATE, parts=parts)).parts] == ["test", "other"]


def test_times_are_told_in_utc_as_the_tool_takes_them_and_the_first_one_with_an_overlap() -> None:
    request = ExportRequest(
        cluster="demo",
        modified_after=datetime(2026, 11, 23, 0, 5, tzinfo=UTC),
        modified_before="2026-11-24T01:00:00+01:00",
    )
    order = parsed(selected(an_order(), request, a_policy(overlap_s=600)))
    assert (order.modified_after, order.modified_before) == ("2026-11-22_23:55:00", "2026-11-24_00:00:00")
    assert parsed(selected(an_order(), ExportRequest(cluster="demo"), a_policy())).modified_after is None


def test_every_object_of_a_job_is_told_to_lie_below_its_export() -> None:
    order = base_order(RUN, Kind.EXPORT, a_policy(), exports(), server=Server(address="10.77.0.11", port=3000))
    assert (order.bucket, order.region, order.prefix) == ("vault", "eu-central-1", f"clusters/demo/exports/{EXPORT}")


def test_the_status_of_a_host_without_a_job_is_understood() -> None:
    status = JobStatus.model_validate(blank_status())
    assert (status.state, status.token, status.parts, status.facts) == (JobState.NONE, None, (), None)


@pytest.mark.parametrize("kind", Kind)
def test_the_first_status_of_a_job_is_understood_in_every_field(kind: Kind) -> None:
    reads: dict[str, Any] = (
        {"target": "test", "listing": a_listing(), "skip": 3} if kind in (Kind.IMPORT, Kind.VERIFY) else {}
    )
    order = parsed(an_order(kind, parts=(a_part_order(**reads),)))
    told = first_progress(order, {"name": "asbackup", "version": VERSION}, KEY_CHECK)
    status = JobStatus.model_validate(told)
    assert (status.state, status.kind, status.token, status.key_check) == (JobState.RUNNING, kind, TOKEN, KEY_CHECK)
    assert status.tool is not None
    (part,) = status.parts
    assert (part.name, part.files_done, part.begun) == ("test-00", 3 if reads else 0, False)
    unknown = set(told["parts"][0]) - set(type(part).model_fields)
    assert unknown <= {"sample"}, "a field that the Lambdas never look at"


def test_why_a_part_failed_is_understood() -> None:
    told = first_progress(parsed(an_order()), None, None)
    told["parts"][0]["error"] = part_error("tool_failed", "it said nothing")
    (part,) = JobStatus.model_validate(told).parts
    assert part.error is not None
    assert (part.error.code, part.error.detail) == ("tool_failed", "it said nothing")
