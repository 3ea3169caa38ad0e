"""What each hook of instances, images and alarms is for: questions that moto alone answers wrongly."""

import time
from typing import Any

from sandbox.region import Node, Region
from tests.workflow.region.ec2_shapes import a_launch, ec2, image_id, instance, subnet_id
from tests.workflow.region.hook_questions import IP, Right, code_of, finds, gone_of, node_of, refuses
from tests.workflow.region.shapes import eventually

INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
INSTANCES = "moto.ec2.responses.instances:InstanceResponse."


def _stops(region: Region) -> bool:
    node = node_of(region)
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    stopping = instance(region, node.instance_id)["State"]["Name"] == "stopping"
    eventually(lambda: instance(region, node.instance_id)["State"]["Name"] == "stopped")
    region.ec2.instances.start(region.ec2.instance(node.instance_id))
    eventually(lambda: instance(region, node.instance_id)["State"]["Name"] == "running")
    return bool(stopping)


def _starts_what_can_start(region: Region) -> bool:
    gone = gone_of(region)
    return code_of(region, "start_instances", InstanceIds=[gone]) == "IncorrectInstanceState"


def _tells_twice(region: Region) -> bool:
    told = ec2(region).terminate_instances(InstanceIds=[gone_of(region)])["TerminatingInstances"][0]
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
    gone = gone_of(region)
    return "PrivateIpAddress" not in instance(region, gone)


def _hides(region: Region) -> bool:
    """Some moments after a launch, which last longer here."""
    made = region.ec2.instance(a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"])
    region.ec2.instances._visible_from[made.id] = float("inf")  # noqa: SLF001  # no pace is that slow
    return code_of(region, "describe_instances", InstanceIds=[made.id]) == "InvalidInstanceID.NotFound"


def _filters_gone(region: Region) -> bool:
    gone = gone_of(region)
    found = ec2(region).describe_instances(Filters=[{"Name": "private-ip-address", "Values": [IP]}])["Reservations"]
    return gone not in [entry["InstanceId"] for reservation in found for entry in reservation["Instances"]]


def _launch(region: Region, node: Node, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    given = {"ImageId": image_id(region), "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    return {**given, "SubnetId": subnet_id(region, node), **request}


def _no_image(region: Region, node: Node) -> dict[str, Any]:
    return _launch(region, node, ImageId="ami-0123456789abcdef0")


def _inherits_size(region: Region) -> bool:
    mapping = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp3"}}]
    return code_of(region, "run_instances", **_launch(region, node_of(region), BlockDeviceMappings=mapping)) == ""


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


class _Busy(dict[str, str]):
    """Tags that another thread changes whenever somebody looks."""

    def items(self) -> Any:  # noqa: ANN401  # dict's own
        raise RuntimeError("dictionary changed size during iteration")


def _undisturbed_tags(region: Region) -> bool:
    node, tags = node_of(region), region.ec2.backend.tags
    tags["i-other"] = _Busy(Name="another")
    try:
        return bool(region.ec2.instance(node.instance_id).get_tags()[0]["value"] == "n")
    except RuntimeError:
        return False
    finally:
        del tags["i-other"]


NEEDED: dict[str, Right] = {
    "moto.ec2.models.core:TaggedEC2Resource.get_tags": _undisturbed_tags,
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
    f"{INSTANCES}run_instances": refuses("InvalidAMIID.NotFound", "run_instances", _no_image),
    f"{INSTANCES}_parse_block_device_mapping": _inherits_size,
    f"{BACKEND}run_instances": _gets_its_iops,
    f"{INSTANCE}setup_defaults": _one_root,
    f"{INSTANCE}prep_nics": _own_interface_goes,
    "moto.ec2.responses.amis:AmisResponse.create_image": _image_of_bytes,
    "moto.ec2.models.amis:Ami.block_device_mappings": _image_size,
    "moto.ec2.responses.launch_templates:LaunchTemplates.get_launch_template_data": _template_names_devices,
    f"{INSTANCES}describe_instance_attribute": _mapping_can_be_read,
    f"{INSTANCES}modify_instance_attribute": refuses(
        "InvalidInstanceAttributeValue", "modify_instance_attribute", _unknown_device
    ),
    "moto.ec2.utils:passes_filter_dict": finds(
        "describe_instances", "Reservations", "network-interface.addresses.private-ip-address", IP
    ),
    "moto.cloudwatch.models:CloudWatchBackend.put_metric_alarm": _begins_unsure,
    "moto.cloudwatch.models:CloudWatchBackend.set_alarm_state": _alarm_is_told,
}
