"""What each EC2 and CloudWatch hook is for, as a question that moto alone answers wrongly."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sandbox.region import Node, Region
from tests.workflow.region.ec2_shapes import (
    ZONE,
    a_launch,
    ec2,
    eni,
    image_id,
    instance,
    primary_eni,
    subnet_id,
    volume,
)
from tests.workflow.region.shapes import eventually

Right = Callable[[Region], bool]
VOLUMES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
EBS = "moto.ec2.models.elastic_block_store:"
INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
INSTANCES = "moto.ec2.responses.instances:InstanceResponse."
SUBNET = "moto.ec2.models.subnets:Subnet."
ENIS = "moto.ec2.models.elastic_network_interfaces:"
INTERFACES = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."
IP = "10.77.0.77"
HOSTS = itertools.count(10)


def node_of(region: Region) -> Node:
    """The one node of a region, launched when first asked for."""
    found = [i for i in region.ec2.all_instances() if i.state == "running"]
    if not found:
        return region.launch_node("n", IP)
    node_id = found[0].id
    return Node(node_id, IP, found[0].block_device_mapping["/dev/sda1"].volume_id, {})


def _code(region: Region, action: str, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    try:
        getattr(ec2(region), action)(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def _refuses(code: str, action: str, request: Callable[[Region, Node], dict[str, Any]]) -> Right:
    def right(region: Region) -> bool:
        return _code(region, action, **request(region, node_of(region))) == code

    return right


def _new_volume(region: Region, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    return str(ec2(region).create_volume(AvailabilityZone=ZONE, Size=8, **request)["VolumeId"])


def _ready_volume(region: Region) -> str:
    made = _new_volume(region)
    eventually(lambda: volume(region, made)["State"] == "available")
    return made


def _attachment(_region: Region, node: Node) -> dict[str, Any]:
    return {"VolumeId": node.root_volume_id, "InstanceId": node.instance_id, "Device": "/dev/sdz"}


def _too_small(region: Region, _node: Node) -> dict[str, Any]:
    snapshot_id = ec2(region).create_snapshot(VolumeId=_ready_volume(region))["SnapshotId"]
    eventually(lambda: region.snapshots.state(snapshot_id) == "completed")
    return {"AvailabilityZone": ZONE, "Size": 1, "SnapshotId": snapshot_id}


def _creating(region: Region) -> bool:
    return bool(volume(region, _new_volume(region))["State"] == "creating")


def _told_flag(region: Region) -> bool:
    found = volume(region, node_of(region).root_volume_id)["Attachments"][0]
    return bool(found.get("DeleteOnTermination"))


def _finds(action: str, key: str, name: str, value: str) -> Right:
    def right(region: Region) -> bool:
        node_of(region)
        return bool(getattr(ec2(region), action)(Filters=[{"Name": name, "Values": [value]}])[key])

    return right


def _stops(region: Region) -> bool:
    node = node_of(region)
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    stopping = instance(region, node.instance_id)["State"]["Name"] == "stopping"
    eventually(lambda: instance(region, node.instance_id)["State"]["Name"] == "stopped")
    region.ec2.instances.start(region.ec2.instance(node.instance_id))
    eventually(lambda: instance(region, node.instance_id)["State"]["Name"] == "running")
    return bool(stopping)


def _starts_what_can_start(region: Region) -> bool:
    gone = _gone(region)
    return _code(region, "start_instances", InstanceIds=[gone]) == "IncorrectInstanceState"


def _gone(region: Region) -> str:
    """An instance that has been terminated, past the API."""
    made = region.ec2.instance(a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"])
    region.ec2.instances.terminate(made)
    eventually(lambda: bool(made.state == "terminated"))
    return str(made.id)


def _tells_twice(region: Region) -> bool:
    told = ec2(region).terminate_instances(InstanceIds=[_gone(region)])["TerminatingInstances"][0]
    return bool(told["CurrentState"]["Name"] == "terminated")


def _reboots(region: Region) -> bool:
    boots: list[str] = []
    node = node_of(region)
    region.ec2.instances.at_boot.append(boots.append)
    ec2(region).reboot_instances(InstanceIds=[node.instance_id])
    return boots == [node.instance_id]


def _ends_softly(region: Region) -> bool:
    made = region.ec2.instance(a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"])
    made.terminate()
    return bool(made.state == "shutting-down")


def _fails_check(which: str, name: str) -> Right:
    def right(region: Region) -> bool:
        node = node_of(region)
        region.ec2.impair(node.instance_id, which)  # type: ignore[arg-type]  # one of the three
        time.sleep(region.pace.status_impaired_s)
        told = ec2(region).describe_instance_status(InstanceIds=[node.instance_id])["InstanceStatuses"][0]
        return bool(told.get(name, {}).get("Status") == "impaired")

    return right


def _describes_gone(region: Region) -> bool:
    gone = _gone(region)
    return "PrivateIpAddress" not in instance(region, gone)


def _hides(region: Region) -> bool:
    """Some moments after a launch, which last longer here."""
    made = region.ec2.instance(a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"])
    region.ec2.instances._visible_from[made.id] = float("inf")  # noqa: SLF001  # no pace is that slow
    return _code(region, "describe_instances", InstanceIds=[made.id]) == "InvalidInstanceID.NotFound"


def _filters_gone(region: Region) -> bool:
    gone = _gone(region)
    found = ec2(region).describe_instances(Filters=[{"Name": "private-ip-address", "Values": [IP]}])["Reservations"]
    return gone not in [entry["InstanceId"] for reservation in found for entry in reservation["Instances"]]


def _launch(region: Region, node: Node, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    given = {"ImageId": image_id(region), "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    return {**given, "SubnetId": subnet_id(region, node), **request}


def _no_image(region: Region, node: Node) -> dict[str, Any]:
    return _launch(region, node, ImageId="ami-0123456789abcdef0")


def _inherits_size(region: Region) -> bool:
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp3"}}]
    return _code(region, "run_instances", **_launch(region, node_of(region), BlockDeviceMappings=mapping)) == ""


def _gets_its_iops(region: Region) -> bool:
    ebs = {"VolumeType": "gp3", "Iops": 4000, "VolumeSize": 8}
    mapping = [{"DeviceName": "/dev/sdf", "Ebs": ebs}]
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)), BlockDeviceMappings=mapping)["InstanceId"]
    return 4000 in [found.iops for found in region.ec2.volumes_of(region.ec2.instance(made))]


def _one_root(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"]
    return len(region.ec2.volumes_of(region.ec2.instance(made))) == 1


def _own_interface_goes(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"]
    attachment = instance(region, made)["NetworkInterfaces"][0]["Attachment"]
    return attachment["DeleteOnTermination"] is True


def _address_in_use(region: Region, node: Node) -> dict[str, Any]:
    return {"SubnetId": subnet_id(region, node), "PrivateIpAddress": IP}


def _asks_kindly(region: Region) -> bool:
    """Past the checks of RunInstances, as launches by others go."""
    subnet = region.ec2.backend.get_subnet(subnet_id(region, node_of(region)))
    try:
        subnet.request_ip(IP, None)
    except Exception as error:  # noqa: BLE001  # moto's is a bare Exception
        return getattr(error, "code", "") == "InvalidIPAddress.InUse"
    return False


def _free_addresses(region: Region) -> bool:
    subnet = region.ec2.backend.get_subnet(subnet_id(region, node_of(region)))
    held = ec2(region).create_network_interface(SubnetId=subnet.id)["NetworkInterface"]["PrivateIpAddress"]
    return bool(subnet.get_available_subnet_ip(None) > held)


def _eni(region: Region, node: Node) -> dict[str, Any]:
    return {"NetworkInterfaceId": primary_eni(region, node)}


def _fresh_eni(region: Region, node: Node) -> dict[str, Any]:
    launched = a_launch(region, SubnetId=subnet_id(region, node))
    return {"NetworkInterfaceId": launched["NetworkInterfaces"][0]["NetworkInterfaceId"]}


def _second_address(region: Region) -> bool:
    subnet, address = subnet_id(region, node_of(region)), f"10.77.9.{next(HOSTS)}"
    addresses = [{"PrivateIpAddress": f"10.77.8.{next(HOSTS)}", "Primary": True}]
    addresses.append({"PrivateIpAddress": address, "Primary": False})
    ec2(region).create_network_interface(SubnetId=subnet, PrivateIpAddresses=addresses)
    wanted = [{"Name": "addresses.private-ip-address", "Values": [address]}]
    return len(ec2(region).describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]) == 1


def _attach_again(region: Region, node: Node) -> dict[str, Any]:
    return {**_eni(region, node), "InstanceId": node.instance_id, "DeviceIndex": 1}


def _one_interface_per_token(region: Region) -> bool:
    request = {"SubnetId": subnet_id(region, node_of(region)), "ClientToken": f"t{time.monotonic_ns()}"}
    made = [ec2(region).create_network_interface(**request)["NetworkInterface"] for _ in range(2)]
    return bool(made[0]["NetworkInterfaceId"] == made[1]["NetworkInterfaceId"])


def _attaching(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))
    return bool(made["NetworkInterfaces"][0]["Status"] == "attaching")


def _attachment_state(region: Region) -> bool:
    made = a_launch(region, SubnetId=subnet_id(region, node_of(region)))
    return bool(made["NetworkInterfaces"][0]["Attachment"]["Status"] == "attaching")


def _detach_primary(region: Region, node: Node) -> dict[str, Any]:
    subnet = subnet_id(region, node)
    made = region.ec2.instance(a_launch(region, SubnetId=subnet)["InstanceId"])
    eventually(lambda: bool(made.state == "running"))
    second = ec2(region).create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2(region).attach_network_interface(NetworkInterfaceId=second, InstanceId=made.id, DeviceIndex=1)
    return {"AttachmentId": made.nics[0].attachment_id}


def _can_be_kept(region: Region) -> bool:
    first = primary_eni(region, node_of(region))
    change = {"AttachmentId": eni(region, first)["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    ec2(region).modify_network_interface_attribute(NetworkInterfaceId=first, Attachment=change)
    return eni(region, first)["Attachment"]["DeleteOnTermination"] is False


def _own_groups(region: Region) -> bool:
    node = node_of(region)
    vpc, first = instance(region, node.instance_id)["VpcId"], primary_eni(region, node)
    name = f"g{time.monotonic_ns()}"
    group = ec2(region).create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
    region.ec2.backend.enis[first]._group_set = [region.ec2.backend.get_security_group_from_id(group)]  # noqa: SLF001  # moto's only place
    return [entry["GroupId"] for entry in eni(region, first)["Groups"]] == [group]


def _image_of_bytes(region: Region) -> bool:
    node, cuts = node_of(region), len(getattr(region.plane, "cuts", ()))
    ec2(region).create_image(InstanceId=node.instance_id, Name=f"i{time.monotonic_ns()}", NoReboot=True)
    return len(getattr(region.plane, "cuts", ())) == cuts + 1


def _image_size(region: Region) -> bool:
    node_of(region)
    found = ec2(region).describe_images(ImageIds=[image_id(region)])["Images"][0]
    return bool(found["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 8)


def _template_names_devices(region: Region) -> bool:
    data = ec2(region).get_launch_template_data(InstanceId=node_of(region).instance_id)["LaunchTemplateData"]
    return bool(data["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1")


def _mapping_can_be_read(region: Region) -> bool:
    told = ec2(region).describe_instance_attribute(
        InstanceId=node_of(region).instance_id, Attribute="blockDeviceMapping"
    )
    return len(told.get("BlockDeviceMappings", [])) == 1


def _unknown_device(_region: Region, node: Node) -> dict[str, Any]:
    mapping = {"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": False}}
    return {"InstanceId": node.instance_id, "BlockDeviceMappings": [mapping]}


def _alarm(region: Region) -> str:
    name = f"a{time.monotonic_ns()}"
    region.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def _begins_unsure(region: Region) -> bool:
    found = region.client("cloudwatch").describe_alarms(AlarmNames=[_alarm(region)])["MetricAlarms"]
    return bool(found[0]["StateValue"] == "INSUFFICIENT_DATA")


def _alarm_is_told(region: Region) -> bool:
    topic = region.client("sns").create_topic(Name="told")["TopicArn"]
    events, name = region.client("events"), _alarm(region)
    events.put_rule(Name="told", EventPattern='{"source": ["aws.cloudwatch"]}')
    events.put_targets(Rule="told", Targets=[{"Id": "t", "Arn": topic}])
    region.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="r")
    return eventually(lambda: bool(region.topic_messages(topic)), within_s=0.3)


NEEDED: dict[str, Right] = {
    f"{EBS}EBSBackend.create_volume": _refuses("InvalidParameterValue", "create_volume", _too_small),
    f"{VOLUMES}create_volume": _creating,
    f"{EBS}EBSBackend.delete_volume": lambda region: (
        _code(region, "delete_volume", VolumeId=_new_volume(region)) == "IncorrectState"
    ),
    f"{EBS}EBSBackend.attach_volume": _refuses("VolumeInUse", "attach_volume", _attachment),
    f"{VOLUMES}detach_volume": _refuses(
        "OperationNotPermitted", "detach_volume", lambda _region, node: {"VolumeId": node.root_volume_id}
    ),
    f"{EBS}Volume.status": _creating,
    f"{EBS}VolumeAttachment.delete_on_termination": _told_flag,
    f"{EBS}Volume.get_filter_value": _finds("describe_volumes", "Volumes", "attachment.delete-on-termination", "true"),
    f"{INSTANCES}stop_instances": _stops,
    f"{INSTANCES}start_instances": _starts_what_can_start,
    f"{INSTANCES}terminate_instances": _tells_twice,
    f"{INSTANCES}reboot_instances": _reboots,
    f"{INSTANCE}terminate": _ends_softly,
    f"{INSTANCE}instance_status": _fails_check("instance", "InstanceStatus"),
    f"{INSTANCE}system_status": _fails_check("system", "SystemStatus"),
    f"{INSTANCE}attached_ebs_status": _fails_check("ebs", "AttachedEbsStatus"),
    f"{INSTANCE}private_ip_address": _describes_gone,
    f"{INSTANCE}private_ip": _filters_gone,
    f"{INSTANCE}public_ip_address": _describes_gone,
    f"{BACKEND}all_reservations": _hides,
    f"{INSTANCES}run_instances": _refuses("InvalidAMIID.NotFound", "run_instances", _no_image),
    f"{INSTANCES}_parse_block_device_mapping": _inherits_size,
    f"{BACKEND}run_instances": _gets_its_iops,
    f"{INSTANCE}setup_defaults": _one_root,
    f"{INSTANCE}prep_nics": _own_interface_goes,
    f"{SUBNET}request_ip": _asks_kindly,
    f"{SUBNET}get_available_subnet_ip": _free_addresses,
    f"{ENIS}NetworkInterfaceBackend.create_network_interface": _refuses(
        "InvalidIPAddress.InUse", "create_network_interface", _address_in_use
    ),
    f"{INTERFACES}create_network_interface": _one_interface_per_token,
    f"{INTERFACES}delete_network_interface": _refuses("InvalidParameterValue", "delete_network_interface", _fresh_eni),
    f"{ENIS}NetworkInterfaceBackend.attach_network_interface": _refuses(
        "InvalidNetworkInterface.InUse", "attach_network_interface", _attach_again
    ),
    f"{INSTANCE}attach_eni": _attaching,
    f"{INTERFACES}detach_network_interface": _refuses(
        "OperationNotPermitted", "detach_network_interface", _detach_primary
    ),
    f"{INTERFACES}modify_network_interface_attribute": _can_be_kept,
    f"{ENIS}NetworkInterface.attachment": _attachment_state,
    f"{ENIS}NetworkInterface.group_set": _own_groups,
    f"{ENIS}NetworkInterface.get_filter_value": _second_address,
    "moto.ec2.responses.amis:AmisResponse.create_image": _image_of_bytes,
    "moto.ec2.models.amis:Ami.block_device_mappings": _image_size,
    "moto.ec2.responses.launch_templates:LaunchTemplates.get_launch_template_data": _template_names_devices,
    f"{INSTANCES}describe_instance_attribute": _mapping_can_be_read,
    f"{INSTANCES}modify_instance_attribute": _refuses(
        "InvalidInstanceAttributeValue", "modify_instance_attribute", _unknown_device
    ),
    "moto.ec2.utils:passes_filter_dict": _finds(
        "describe_instances", "Reservations", "network-interface.addresses.private-ip-address", IP
    ),
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm": _begins_unsure,
    "moto.cloudwatch.models:CloudWatchBackend.set_alarm_state": _alarm_is_told,
}
