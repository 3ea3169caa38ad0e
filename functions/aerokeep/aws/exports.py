"""Exports in the vault: ``clusters/<cluster>/exports/<id>/…``, whose manifest is their commit mark."""

import hashlib
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import translated
from aerokeep.aws.vault import read_object, write_once
from aerokeep.model.errors import ConflictError, CorruptError
from aerokeep.model.export import ExportAbandonment, ExportManifest
from aerokeep.model.run import RunRef
from aerokeep.model.transfer_order import Listing
from aerokeep.model.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

Outcome = ExportManifest | ExportAbandonment
MANIFEST = "manifest.json"
MOST_DELETES = 1000
"""DeleteObjects takes at most 1,000 keys."""


class ExportedFile(Wire):
    """One file of an export, as its host lists it."""

    key: str
    size: int
    sha256: str
    compressed: str


class Exports:
    """The exports of all clusters; the layout outlives the code."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self.region = s3.meta.region_name

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("s3"), setting("AEROKEEP_VAULT"))

    @staticmethod
    def prefix(cluster: str, export_id: str) -> str:
        """Where everything of an export stands."""
        return f"clusters/{cluster}/exports/{export_id}"

    def settle(self, run: RunRef, outcome: Outcome) -> Outcome:
        """Commit or abandon: both compete for one key, the first one wins → what stands there now."""
        key = f"{self.prefix(run.cluster, run.run_id)}/{MANIFEST}"
        if write_once(self._s3, self.bucket, key, outcome.model_dump_json(indent=1).encode()):
            return outcome
        standing = self.find(run.cluster, run.run_id)
        if standing is None:
            raise ConflictError(f"manifest_taken: {key} was written by somebody else, but is not there")
        return standing

    def find(self, cluster: str, export_id: str) -> Outcome | None:
        """What the manifest's key of an export holds; an export without a committed manifest does not exist."""
        body = read_object(self._s3, self.bucket, f"{self.prefix(cluster, export_id)}/{MANIFEST}")
        return None if body is None else TypeAdapter[Outcome](Outcome).validate_json(body)

    def ids(self, cluster: str) -> tuple[str, ...]:
        """Every export that was ever begun, in the order of their times; also those that do not exist."""
        prefix = f"clusters/{cluster}/exports/"
        with translated("ListObjectsV2"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
            found = [str(entry.get("Prefix")) for page in pages for entry in page.get("CommonPrefixes", [])]
        return tuple(sorted(name.removeprefix(prefix).rstrip("/") for name in found))

    def listing(self, listing: Listing) -> tuple[ExportedFile, ...]:
        """The files of one part.

        Raises:
            CorruptError: the list is not there, or not what its host wrote.

        """
        body = read_object(self._s3, self.bucket, listing.key)
        if body is None or hashlib.sha256(body).hexdigest() != listing.sha256:
            raise CorruptError(f"listing_differs: {listing.key} is not what the host wrote")
        return TypeAdapter(tuple[ExportedFile, ...]).validate_json(body)

    def sizes(self, cluster: str, export_id: str) -> dict[str, int]:
        """The size in bytes of every object of an export, by key."""
        with translated("ListObjectsV2"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix(cluster, export_id)}/"
            )
            return {
                str(entry.get("Key")): int(entry.get("Size", 0)) for page in pages for entry in page.get("Contents", [])
            }

    def collect(self, cluster: str, export_id: str) -> int:
        """Delete all that an abandoned export has written, also versions and unfinished uploads → how many.

        Its manifest stays: it says that the export was given up, and nobody can commit it any more.

        Raises:
            ConflictError: it was not given up; nothing of an export that exists is ever deleted here.

        """
        if not isinstance(self.find(cluster, export_id), ExportAbandonment):
            raise ConflictError(f"not_abandoned: {export_id} is committed, or still being written")
        ended = self.abort_uploads(cluster, export_id)
        doomed = list(self._versions(f"{self.prefix(cluster, export_id)}/"))
        for start in range(0, len(doomed), MOST_DELETES):
            with translated("DeleteObjects"):
                chunk = doomed[start : start + MOST_DELETES]
                self._s3.delete_objects(Bucket=self.bucket, Delete={"Objects": chunk, "Quiet": True})
        return len(doomed) + ended

    def abort_uploads(self, cluster: str, export_id: str) -> int:
        """End uploads that nobody will finish → how many.

        The AWS CLI leaves its upload open when it is killed, as it must be: told to end, it may finish a truncated one.
        """
        prefix = f"{self.prefix(cluster, export_id)}/"
        with translated("ListMultipartUploads"):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            uploads = [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])]
        for key, upload_id in uploads:
            with translated("AbortMultipartUpload"):
                self._s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        return len(uploads)

    def _versions(self, prefix: str) -> "Iterator[ObjectIdentifierTypeDef]":
        with translated("ListObjectVersions"):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if not str(entry.get("Key")).endswith(f"/{MANIFEST}"):
                        yield {"Key": str(entry.get("Key")), "VersionId": str(entry.get("VersionId"))}
