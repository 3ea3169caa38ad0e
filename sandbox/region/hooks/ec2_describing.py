"""All that describes in lists: ids are looked at first, DryRun is honoured, and answers come in pages."""

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, BaseResponse

from sandbox.region.ec2.visibility import IMAGE, INSTANCE, INTERFACE, SNAPSHOT, VOLUME, Kind
from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusal, refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ec2.responses."
EBS = f"{RESPONSES}elastic_block_store:ElasticBlockStore."
INSTANCES = f"{RESPONSES}instances:InstanceResponse."
Moto = Any
Build = Callable[["Region", Moto], Moto]
BAD_REQUEST = "400"


def _call(region: "Region", _old: Moto) -> Moto:
    def call_action(self: Moto) -> Moto:
        try:
            with refusing():
                region.ec2.visibility.check(self._get_params())
        except Exception as error:
            if not hasattr(error, "code"):
                raise
            _, headers, body = self.serialized(ActionResult(error))
            headers["status"] = BAD_REQUEST
            return 400, headers, body
        return BaseResponse.call_action(self)

    return call_action


def paged(key: str, ids: str, *, words: str) -> Build:
    """A response method in pages: `key` of moto's own answer holds objects with ids, `ids` names the parameter."""

    def build(region: "Region", old: Moto) -> Moto:
        def describe(self: Moto) -> Moto:
            with refusing():
                region.ec2.pages.check(self._get_param("MaxResults"), ids=self._get_param(ids, []), words=words)
            found = [entry for entry in old(self).result[key] if region.ec2.visibility.is_visible(entry.id)]
            self.error_on_dryrun()
            return ActionResult(page(region, self, key, found))

        return describe

    return build


def page(region: "Region", response: Moto, key: str, found: list[Moto]) -> dict[str, Any]:
    """The part of `found` that a request asks for, and the token of the rest."""
    size, token = response._get_param("MaxResults"), response._get_param("NextToken")
    with refusing():
        entries, following = region.ec2.pages.page(found, size, token, name=_name)
    return {key: entries, **({"NextToken": following} if following else {})}


def _name(entry: Moto) -> str:
    if isinstance(entry, dict):
        return str(entry.get("SnapshotId") or entry["VolumeId"])
    return str(entry.id)


def _instances(region: "Region", _old: Moto) -> Moto:
    def describe_instances(self: Moto) -> Moto:
        ids, filters = self._get_param("InstanceIds", []), self._filters_from_querystring()
        with refusing():
            region.ec2.pages.check(self._get_param("MaxResults"), ids=ids, words="instancesSet")
        if ids:
            found = self.ec2_backend.get_reservations_by_instance_ids(list(dict.fromkeys(ids)), filters=filters)
        else:
            found = self.ec2_backend.describe_instances(filters=filters)
        self.error_on_dryrun()
        return ActionResult(page(region, self, "Reservations", found))

    return describe_instances


def _volumes(region: "Region", old: Moto) -> Moto:
    def found(self: Moto) -> Moto:
        _check_volumes(self)
        return old(self)

    return paged("Volumes", "VolumeIds", words="volumesSet")(region, found)


def _check_volumes(response: Moto) -> None:
    for volume_id in response._get_param("VolumeIds", []):
        if volume_id not in response.ec2_backend.volumes:
            raise refusal(ApiError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist."))


def _volume_status(region: "Region", _old: Moto) -> Moto:
    def describe_volume_status(self: Moto) -> Moto:
        ids = self._get_param("VolumeIds", [])
        with refusing():
            region.ec2.pages.check(self._get_param("MaxResults"), ids=ids, words="volumesSet")
        _check_volumes(self)
        self.error_on_dryrun()
        volumes = [v for v in list(self.ec2_backend.volumes.values()) if region.ec2.visibility.is_visible(v.id)]
        found = [region.ec2.volume_checks.status(volume) for volume in volumes if not ids or volume.id in ids]
        for name, values in self._filters_from_querystring().items():
            if name not in STATUS_FILTERS:
                raise refusal(ApiError("InvalidParameterValue", f"The filter '{name}' is invalid"))
            found = [entry for entry in found if STATUS_FILTERS[name](entry) in values]
        return ActionResult(page(region, self, "VolumeStatuses", found))

    return describe_volume_status


def _create_tags(region: "Region", old: Moto) -> Moto:
    def create_tags(self: Moto) -> Moto:
        backend = self.ec2_backend
        held: tuple[tuple[Kind, Container[str]], ...] = (
            (INSTANCE, {instance.id for instance in region.ec2.all_instances()}),
            (VOLUME, backend.volumes),
            (SNAPSHOT, backend.snapshots),
            (INTERFACE, backend.enis),
            (IMAGE, backend.amis),
        )
        for resource_id in self._get_param("Resources", []):
            for kind, ids in held:
                if resource_id.startswith(f"{kind.prefix}-") and resource_id not in ids:
                    raise refusal(kind.missing(resource_id))
        return old(self)

    return create_tags


STATUS_FILTERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "availability-zone": lambda entry: str(entry["AvailabilityZone"]),
    "volume-status.status": lambda entry: str(entry["VolumeStatus"]["Status"]),
    "volume-status.details-status": lambda entry: str(entry["VolumeStatus"]["Details"][0]["Status"]),
}


HOOKS = (
    Hook(
        f"{RESPONSES}_base_response:EC2BaseResponse.call_action",
        "moto takes anything for an id, and knows a resource as soon as it has been asked for.",
        _call,
        added=True,
    ),
    Hook(
        f"{INSTANCES}describe_instances",
        "moto takes a page of any size, pages without being asked, and forgets its place when an instance goes.",
        _instances,
        ("self",),
    ),
    Hook(
        f"{INSTANCES}describe_instance_status",
        "moto ignores paging and DryRun here.",
        paged("InstanceStatuses", "InstanceIds", words="instancesSet"),
        ("self",),
    ),
    Hook(f"{EBS}describe_volumes", "moto ignores paging and DryRun here.", _volumes, ("self",)),
    Hook(f"{EBS}describe_volume_status", "moto has no status checks of volumes.", _volume_status, ("self",)),
    Hook(
        f"{RESPONSES}tags:TagResponse.create_tags",
        "moto tags instances, volumes and snapshots that do not exist.",
        _create_tags,
        ("self",),
    ),
    Hook(
        f"{RESPONSES}elastic_network_interfaces:ElasticNetworkInterfaces.describe_network_interfaces",
        "moto ignores paging here.",
        paged("NetworkInterfaces", "NetworkInterfaceIds", words="networkInterfacesSet"),
        ("self",),
    ),
    Hook(
        f"{RESPONSES}amis:AmisResponse.describe_images",
        "moto ignores paging here.",
        paged("Images", "ImageIds", words="imagesSet"),
        ("self",),
    ),
)
