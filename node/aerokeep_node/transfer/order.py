"""What ``export`` and ``import`` are asked to do: the JSON behind their address, checked before anything is started."""

import re
from dataclasses import dataclass
from typing import List, Optional, Set, Tuple, Union

from aerokeep_node.order_fields import Fields, invalid

EXPORT_KINDS = ("estimate", "export")
IMPORT_KINDS = ("import", "verify")
WRITES = ("unique", "replace", "no-generation", "generation")
COMPRESSIONS = ("gzip", "zstd", "none")
SUFFIXES = {"gzip": ".asb.gz", "zstd": ".asb.zst", "none": ".asb"}
MOST_PARTS = 64
PARTITIONS = 4096
LONGEST_TTL_S = 315360000
_RUN = re.compile(r"[a-z0-9][A-Za-z0-9-]{0,95}")
_TOKEN = re.compile(r"[0-9a-f]{16}")
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,253}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=/-]{0,900}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}")
_SET = re.compile(r"[^\s,:;-][^\s,:;]{0,62}")
_RANGES = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}:[0-9]{2}:[0-9]{2}")
_DIRECTORY = re.compile(r"/[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)+")
_ENCRYPTION_KEY = re.compile(r"(file:/[A-Za-z0-9._/@+-]+|secret:[A-Za-z0-9/_+=.@:-]+)")
_CHECK = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ExportPart:
    """A slice of a namespace; ``partitions`` is ``<first>-<count>,…``, and only one slice carries the metadata."""

    name: str
    namespace: str
    partitions: Optional[str]
    metadata: bool
    expected_bytes: int


@dataclass(frozen=True)
class ImportPart:
    """The files of one exported slice; the first ``skip`` of them are done already."""

    name: str
    namespace: str
    target: str
    listing_key: str
    listing_sha256: str
    skip: int
    metadata: bool
    partitions: Optional[str]
    """What the slice holds; told where a sample of it is to be compared."""

    def sampled(self, partitions: Tuple[int, ...]) -> List[int]:
        """Give those of some partitions that the slice holds."""
        held = None if self.partitions is None else _numbers(self.partitions)
        return [number for number in partitions if held is None or number in held]


Part = Union[ExportPart, ImportPart]


@dataclass(frozen=True)
class Encryption:
    """``key`` says where the key is, ``check`` by what it is known to be the right one."""

    mode: str
    key: str
    check: Optional[str]


@dataclass(frozen=True)
class Order:
    """All of it; what a kind has no use for has its neutral value."""

    kind: str
    run: str
    token: str
    address: str
    port: int
    bucket: str
    region: str
    prefix: str
    parts: Tuple[Part, ...]
    mode: str
    directory: str
    at_once: int
    parallel: int
    sets: Tuple[str, ...]
    modified_after: Optional[str]
    modified_before: Optional[str]
    records_per_second: int
    bandwidth_mibps: int
    nice: int
    prefer_rack: Optional[int]
    compression: str
    encryption: Optional[Encryption]
    file_mib: int
    needed_mib: int
    begin_at: Optional[float]
    end_at: Optional[float]
    silence_s: float
    write: str
    extra_ttl_s: int
    indexes_last: bool
    sample: Tuple[int, ...]

    @property
    def export_parts(self) -> List[ExportPart]:
        """The parts of an export or estimate."""
        return [part for part in self.parts if isinstance(part, ExportPart)]

    @property
    def import_parts(self) -> List[ImportPart]:
        """The parts of an import or verification."""
        return [part for part in self.parts if isinstance(part, ImportPart)]

    @property
    def compressor(self) -> str:
        """What a program of the host compresses with: encrypted bytes do not compress, so there the tool does it."""
        return "none" if self.encryption is not None else self.compression

    def key_of(self, name: str, ending: str) -> str:
        """Give the key of an object that this order's job writes; no other token's job writes the same."""
        return f"{self.prefix}/{name}.{self.token}{ending}"


def parse_order(document: object, kinds: Tuple[str, ...]) -> Order:
    """Check and shape an order.

    Raises:
        RefusalError: ``spec_invalid``, naming the field.

    """
    fields = Fields("spec", document)
    kind = fields.choice("kind", kinds)
    server = Fields("server", fields.take("server"))
    sample = fields.take("sample") if kind == "verify" else None
    order = Order(
        kind=kind,
        run=fields.text("run", _RUN),
        token=fields.text("token", _TOKEN),
        address=server.text("address", _ADDRESS),
        port=server.integer("port", 1, 65535),
        bucket=fields.text("bucket", _BUCKET),
        region=fields.text("region", _REGION),
        prefix=fields.text("prefix", _KEY),
        parts=tuple(_part(kind, entry) for entry in fields.list("parts")),
        mode=fields.choice("mode", ("stream", "directory")),
        directory=fields.text("directory", _DIRECTORY),
        at_once=fields.integer("at_once", 1, MOST_PARTS),
        parallel=fields.integer("parallel", 1, 100),
        sets=fields.texts("sets", _SET),
        modified_after=fields.optional_text("modified_after", _INSTANT),
        modified_before=fields.optional_text("modified_before", _INSTANT),
        records_per_second=fields.integer("records_per_second"),
        bandwidth_mibps=fields.integer("bandwidth_mibps"),
        nice=fields.integer("nice", 0, 19),
        prefer_rack=fields.optional_integer("prefer_rack", 0, 1000000),
        compression=fields.choice("compression", COMPRESSIONS),
        encryption=_encryption(fields.take("encryption")),
        file_mib=fields.integer("file_mib", 1, 1 << 20),
        needed_mib=fields.integer("needed_mib"),
        begin_at=fields.optional_number("begin_at"),
        end_at=fields.optional_number("end_at"),
        silence_s=fields.number("silence_s"),
        write=fields.choice("write", WRITES) if kind == "import" else WRITES[0],
        extra_ttl_s=fields.integer("extra_ttl_s", 0, LONGEST_TTL_S) if kind == "import" else 0,
        indexes_last=fields.flag("indexes_last") if kind == "import" else True,
        sample=_sample(sample) if sample is not None else (),
    )
    server.end()
    fields.end()
    _judge_whole(order)
    return order


def _judge_whole(order: Order) -> None:
    names = [part.name for part in order.parts]
    if not 1 <= len(names) <= MOST_PARTS:
        raise invalid(f"parts: from 1 to {MOST_PARTS} are expected, not {len(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(f"parts: twice: {twice}")
    if order.encryption is not None and order.sample:
        raise invalid("sample: an encrypted export can't be compared")
    if order.encryption is not None and order.compression == "gzip":
        raise invalid("compression: encrypted bytes do not compress; with encryption it must be none or zstd")
    if ".." in order.directory.split("/"):
        raise invalid("directory: must be a plain path")
    if order.silence_s <= 0:
        raise invalid("silence_s: must be more than 0")
    if order.begin_at is not None and order.end_at is not None and order.begin_at >= order.end_at:
        raise invalid("end_at: must lie after begin_at")


def _export_part(entry: object) -> ExportPart:
    fields = Fields("parts", entry)
    part = ExportPart(
        fields.text("name", _NAME),
        fields.text("namespace", _NAMESPACE),
        fields.optional_text("partitions", _RANGES),
        fields.flag("metadata"),
        fields.integer("expected_bytes"),
    )
    fields.end()
    _judge_partitions(part.name, part.partitions)
    return part


def _judge_partitions(name: str, partitions: Optional[str]) -> None:
    if partitions is None:
        return
    for words in partitions.split(","):
        first, _, count = words.partition("-")
        if not 1 <= int(count or 1) <= PARTITIONS - int(first):
            raise invalid(f"parts: partitions {words} of {name} do not lie within {PARTITIONS}")


def _numbers(partitions: str) -> Set[int]:
    found: Set[int] = set()
    for words in partitions.split(","):
        first, _, count = words.partition("-")
        found.update(range(int(first), int(first) + int(count or 1)))
    return found


def _part(kind: str, entry: object) -> Part:
    return _import_part(kind, entry) if kind in IMPORT_KINDS else _export_part(entry)


def _import_part(kind: str, entry: object) -> ImportPart:
    fields = Fields("parts", entry)
    listing = Fields("listing", fields.take("listing"))
    part = ImportPart(
        fields.text("name", _NAME),
        fields.text("namespace", _NAMESPACE),
        fields.text("target", _NAMESPACE),
        listing.text("key", _KEY),
        listing.text("sha256", _SHA256),
        fields.integer("skip"),
        fields.flag("metadata"),
        fields.optional_text("partitions", _RANGES) if kind == "verify" else None,
    )
    _judge_partitions(part.name, part.partitions)
    listing.end()
    fields.end()
    return part


def _encryption(entry: object) -> Optional[Encryption]:
    if entry is None:
        return None
    fields = Fields("encryption", entry)
    encryption = Encryption(
        fields.choice("mode", ("aes128", "aes256")),
        fields.text("key", _ENCRYPTION_KEY),
        fields.optional_text("check", _CHECK),
    )
    fields.end()
    return encryption


def _sample(entry: object) -> Tuple[int, ...]:
    fields = Fields("sample", entry)
    partitions = tuple(fields.list("partitions"))
    fields.end()
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in partitions)
    if not partitions or not whole or not all(0 <= number < PARTITIONS for number in partitions):
        raise invalid(f"sample: partitions is no list of numbers below {PARTITIONS}")
    return partitions
