"""S3: presigned requests, conditional writes, versions, uploads in parts, and lists in pages."""

import base64
import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping

from sandbox.region import ApiCall
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import bucket

API = "S3 API reference"
GUIDE = "S3 user guide"
PRESIGNED = f"{GUIDE}, Uploading objects with presigned URLs; {API}, Authenticating Requests: Using Query Parameters"
BODY, OTHER = b"secondary indexes \x00\xff", b"other bytes"
KEY = "a/b c.smd"
PART = 5 * 1024 * 1024


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def _signed(aws: Account, name: str, *, expires_s: int = 60) -> tuple[str, dict[str, str]]:
    headers = {
        "x-amz-checksum-sha256": _checksum(BODY),
        "if-none-match": "*",
        "content-type": "application/octet-stream",
    }
    params = {"Bucket": name, "Key": KEY, "ChecksumSHA256": _checksum(BODY), "IfNoneMatch": "*"}
    params["ContentType"] = headers["content-type"]
    url = aws.client("s3").generate_presigned_url("put_object", Params=params, ExpiresIn=expires_s)
    return str(url), headers


def _put(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="PUT")  # noqa: S310  # a signed URL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@behaviour(
    "A presigned PUT with the signed headers is stored once, and not again.",
    source=f"{PRESIGNED}; {GUIDE}, Conditional writes",
    calls=("s3.PutObject", "s3.GetObject"),
)
def _stored_once(aws: Account) -> None:
    name = bucket(aws)
    url, headers = _signed(aws, name)
    assert _put(url, BODY, headers) == 200
    assert aws.client("s3").get_object(Bucket=name, Key=KEY)["Body"].read() == BODY
    assert _put(url, BODY, headers) == 412


@behaviour(
    "A presigned PUT with other bytes, other headers or fewer of them is refused.",
    source=PRESIGNED,
    calls=("s3.PutObject",),
)
def _altered(aws: Account) -> None:
    url, headers = _signed(aws, bucket(aws))
    assert _put(url, OTHER, headers) == 400
    assert _put(url, OTHER, {**headers, "x-amz-checksum-sha256": _checksum(OTHER)}) == 403
    assert _put(url, BODY, {k: v for k, v in headers.items() if k != "if-none-match"}) == 403
    assert _put(url, BODY, {**headers, "content-type": "text/plain"}) == 403
    assert _put(url, BODY, {**headers, "x-amz-meta-more": "1"}) == 403


@behaviour(
    "A presigned PUT is refused when its time is over.",
    source=PRESIGNED,
    calls=("s3.PutObject",),
)
def _expired(aws: Account) -> None:
    url, headers = _signed(aws, bucket(aws), expires_s=1)
    assert aws.eventually(lambda: _put(url, OTHER, headers) == 403)


@behaviour(
    "A write that must be the first is refused with 412 where there is an object.",
    source=f"{GUIDE}, Conditional writes",
    calls=("s3.PutObject", "s3.GetObject"),
)
def _first_only(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    s3.put_object(Bucket=name, Key="k", Body=b"first", IfNoneMatch="*")
    assert aws.refused("s3", "put_object", Bucket=name, Key="k", Body=b"second", IfNoneMatch="*") == (
        "PreconditionFailed"
    )
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"first"


@behaviour(
    "A write that must replace what was read is refused with 412 where that has changed.",
    source=f"{GUIDE}, Conditional writes",
    calls=("s3.PutObject",),
)
def _replaces(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    old = s3.put_object(Bucket=name, Key="k", Body=b"1")["ETag"]
    new = s3.put_object(Bucket=name, Key="k", Body=b"2", IfMatch=old)["ETag"]
    code = aws.refused("s3", "put_object", Bucket=name, Key="k", Body=b"3", IfMatch=old)
    assert code == "PreconditionFailed"
    s3.put_object(Bucket=name, Key="k", Body=b"3", IfMatch=new)


@behaviour(
    "A conditional write during which the object is deleted gets 409 ConditionalRequestConflict.",
    source=f"{GUIDE}, Conditional writes; {API}, PutObject, IfNoneMatch",
    calls=("s3.PutObject",),
    sandbox_only="the write has to be held up on its way",
)
def _conflict(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    arrived, deleted, codes = threading.Event(), threading.Event(), list[str]()

    def hold(call: ApiCall) -> None:
        if call.action == "PutObject":
            arrived.set()
            deleted.wait(5)

    def write() -> None:
        codes.append(aws.refused("s3", "put_object", Bucket=name, Key="k", Body=b"1", IfNoneMatch="*"))

    with aws.region.faults.during(before=hold):
        writer = threading.Thread(target=write)
        writer.start()
        assert arrived.wait(5)
        s3.delete_object(Bucket=name, Key="k")
        deleted.set()
        writer.join()
    assert codes == ["ConditionalRequestConflict"]
    assert aws.refused("s3", "put_object", Bucket=name, Key="k", Body=b"1", IfNoneMatch="*") == ""


@behaviour(
    "A versioned bucket keeps what was overwritten or deleted, until its versions are deleted.",
    source=f"{GUIDE}, Using versioning in S3 buckets",
    calls=("s3.ListObjectVersions", "s3.DeleteObjects", "s3.GetObject"),
)
def _versions(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws, versioned=True)
    for body in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="k", Body=body)
    s3.delete_object(Bucket=name, Key="k")
    assert aws.refused("s3", "get_object", Bucket=name, Key="k") == "NoSuchKey"
    page = s3.list_object_versions(Bucket=name, Prefix="k")
    doomed = [*page["Versions"], *page["DeleteMarkers"]]
    assert [len(page["Versions"]), len(page["DeleteMarkers"])] == [2, 1]
    objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in doomed]
    s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
    assert "Versions" not in s3.list_object_versions(Bucket=name, Prefix="k")


@behaviour(
    "An upload in parts is no object until it is completed, can be found, and goes when it is aborted.",
    source=f"{GUIDE}, Uploading objects using multipart upload",
    calls=("s3.ListMultipartUploads", "s3.AbortMultipartUpload"),
)
def _parts(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    ids = [s3.create_multipart_upload(Bucket=name, Key=f"up/{n}")["UploadId"] for n in range(2)]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=name, Key="up/0", UploadId=ids[0], PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, bytes(PART)), (2, b"end"))
    ]
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0
    open_ones = s3.list_multipart_uploads(Bucket=name, Prefix="up/")["Uploads"]
    assert sorted(upload["UploadId"] for upload in open_ones) == sorted(ids)
    s3.complete_multipart_upload(Bucket=name, Key="up/0", UploadId=ids[0], MultipartUpload={"Parts": parts})
    s3.abort_multipart_upload(Bucket=name, Key="up/1", UploadId=ids[1])
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=name, Prefix="up/")
    assert [(entry["Key"], entry["Size"]) for entry in s3.list_objects_v2(Bucket=name)["Contents"]] == [
        ("up/0", PART + 3)
    ]


@behaviour(
    "Lists of objects come in pages, in the order of keys, and can stop at a delimiter.",
    source=f"{API}, ListObjectsV2",
    calls=("s3.ListObjectsV2",),
)
def _lists(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    for key in ("a/1", "a/2", "a/3", "b/1"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 3}))
    assert [[entry["Key"] for entry in page["Contents"]] for page in pages] == [["a/1", "a/2", "a/3"], ["b/1"]]
    told = s3.list_objects_v2(Bucket=name, Delimiter="/")
    assert [entry["Prefix"] for entry in told["CommonPrefixes"]] == ["a/", "b/"]
    assert aws.refused("s3", "get_object", Bucket=name, Key="none") == "NoSuchKey"


@behaviour(
    "A bucket policy that demands TLS denies nobody who comes by TLS.",
    source=f"{GUIDE}, Bucket policy examples",
    hooks=("moto.s3.models:FakeBucket.get_permission",),
)
def _tls_only(aws: Account) -> None:
    s3, name = aws.client("s3"), bucket(aws)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}
    insecure = {**statement, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [insecure]}))
    s3.put_object(Bucket=name, Key="k", Body=b"")
