"""Lifecycle rules of buckets, as CloudFormation spells them and as the API does."""

from collections.abc import Mapping
from typing import Any

Rule = Mapping[str, Any]
SAME = ("Status", "AbortIncompleteMultipartUpload")


def api_rule(rule: Rule) -> dict[str, Any]:
    """CloudFormation's spelling → the API's."""
    made: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    made |= {key: rule[key] for key in SAME if key in rule}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    expiration: dict[str, Any] = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = rule["ExpirationInDays"]
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
    if expiration:
        made["Expiration"] = expiration
    if noncurrent := rule.get("NoncurrentVersionExpiration"):
        made["NoncurrentVersionExpiration"] = dict(noncurrent)
    if "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    if moves := rule.get("Transitions"):
        made["Transitions"] = [{"StorageClass": m["StorageClass"], "Days": m["TransitionInDays"]} for m in moves]
    return made


def template_rule(rule: Rule) -> dict[str, Any]:
    """The API's spelling → CloudFormation's."""
    made: dict[str, Any] = {key: rule[key] for key in SAME if key in rule}
    if "ID" in rule:
        made["Id"] = rule["ID"]
    prefix = rule.get("Prefix") or rule.get("Filter", {}).get("Prefix")
    if prefix:
        made["Prefix"] = prefix
    expiration = rule.get("Expiration", {})
    if "Days" in expiration:
        made["ExpirationInDays"] = expiration["Days"]
    if "ExpiredObjectDeleteMarker" in expiration:
        made["ExpiredObjectDeleteMarker"] = expiration["ExpiredObjectDeleteMarker"]
    if noncurrent := rule.get("NoncurrentVersionExpiration"):
        made["NoncurrentVersionExpiration"] = noncurrent
        made["NoncurrentVersionExpirationInDays"] = noncurrent.get("NoncurrentDays")
    if moves := rule.get("Transitions"):
        made["Transitions"] = [{"StorageClass": m["StorageClass"], "TransitionInDays": m["Days"]} for m in moves]
    return made
