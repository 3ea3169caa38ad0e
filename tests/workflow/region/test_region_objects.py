"""S3 refuses what S3 refuses: altered presigned requests, wrong checksums, second writers."""

import base64
import hashlib
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Region

BODY = b"secondary indexes \x00\xff"


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@pytest.fixture
def bucket(region: Region) -> str:
    region.client("s3").create_bucket(Bucket="vault", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return "vault"


def _presigned(region: Region, *, expires_s: int = 60) -> tuple[str, dict[str, str]]:
    """A PUT that pins the checksum and may not overwrite; → URL and the headers to send."""
    headers = {"x-amz-checksum-sha256": _checksum(BODY), "if-none-match": "*"}
    url = region.client("s3", caller="capture").generate_presigned_url(
        "put_object",
        Params={
            "Bucket": "vault",
            "Key": "a/b c.smd",
            "ChecksumSHA256": headers["x-amz-checksum-sha256"],
            "IfNoneMatch": "*",
        },
        ExpiresIn=expires_s,
    )
    return url, headers


def _put(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="PUT")  # noqa: S310  # loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_presigned_upload_with_the_signed_headers_is_stored_once(region: Region, bucket: str) -> None:
    url, headers = _presigned(region)
    assert "if-none-match" in url
    assert _put(url, BODY, headers) == 200  # urllib's own Content-Type goes along
    assert region.client("s3").get_object(Bucket=bucket, Key="a/b c.smd")["Body"].read() == BODY
    assert _put(url, BODY, headers) == 412


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("body", "change", "status"),
    [
        (b"other bytes", {}, 400),
        (BODY, {"x-amz-checksum-sha256": _checksum(b"other bytes")}, 403),
        (b"other bytes", {"x-amz-checksum-sha256": _checksum(b"other bytes")}, 403),
        (BODY, {"if-none-match": ""}, 403),
        (BODY, {"x-amz-meta-more": "1"}, 403),
    ],
)
def test_an_altered_upload_is_refused(region: Region, body: bytes, change: Mapping[str, str], status: int) -> None:
    url, headers = _presigned(region)
    assert _put(url, body, {**headers, **change}) == status
    assert "Contents" not in region.client("s3").list_objects_v2(Bucket="vault")


@pytest.mark.usefixtures("bucket")
def test_a_late_upload_is_refused(region: Region) -> None:
    url, headers = _presigned(region, expires_s=0)
    assert _put(url, BODY, headers) == 403


def test_a_presigned_download_works_and_an_unsigned_one_does_not(region: Region, bucket: str) -> None:
    s3 = region.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer:
        assert answer.read() == BODY
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        opener.open(url.partition("?")[0])
    refused.value.close()


def test_a_conditional_put_of_the_sdk_is_kept(region: Region, bucket: str) -> None:
    s3 = region.client("s3")
    s3.put_object(Bucket=bucket, Key="manifest.json", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="manifest.json", Body=b"second", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="manifest.json")["Body"].read() == b"first"


def test_a_conditional_update_of_an_item_is_kept(region: Region) -> None:
    dynamodb = region.client("dynamodb")
    dynamodb.create_table(
        TableName="catalog",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lock = {"TableName": "catalog", "Item": {"pk": {"S": "lock"}}, "ConditionExpression": "attribute_not_exists(pk)"}
    dynamodb.put_item(**lock)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.put_item(**lock)
