"""Network interfaces."""

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import UNKNOWN, a_interface, a_launch, a_running_instance, ec2, instance, interface, is_in

SUBNET = "moto.ec2.models.subnets:Subnet."
ENIS = "moto.ec2.models.elastic_network_interfaces:"
RESPONSES = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."
CREATE = f"{ENIS}NetworkInterfaceBackend.create_network_interface"
CREATES = ("ec2.CreateNetworkInterface",)
MODIFIES = ("ec2.ModifyNetworkInterfaceAttribute", "ec2.DescribeNetworkInterfaces")
GUIDE = "EC2 user guide, network interfaces"


def _described(aws: Account, eni_id: str) -> dict[str, object]:
    found = ec2(aws).describe_network_interfaces(NetworkInterfaceIds=[eni_id])["NetworkInterfaces"]
    return dict(found[0])


@behaviour(
    "An address belongs to one interface of its subnet, and lies in it.",
    source="EC2 API error codes, InvalidIPAddress.InUse and InvalidParameterValue",
    calls=CREATES,
    hooks=(CREATE,),
)
def _one_address(aws: Account) -> None:
    node = instance(aws)
    request = {"SubnetId": node["SubnetId"], "PrivateIpAddress": node["PrivateIpAddress"]}
    assert aws.refused("ec2", "create_network_interface", **request) == "InvalidIPAddress.InUse"
    foreign = {**request, "PrivateIpAddress": "192.0.2.1"}
    assert aws.refused("ec2", "create_network_interface", **foreign) == "InvalidParameterValue"
    groups = {"SubnetId": node["SubnetId"], "Groups": ["sg-0123456789abcdef0"]}
    assert aws.refused("ec2", "create_network_interface", **groups) == "InvalidGroup.NotFound"


@behaviour(
    "An address in use is refused, and one that is held by an interface is not given away, whoever asks.",
    source="EC2 API error codes, InvalidIPAddress.InUse",
    calls=CREATES,
    hooks=(f"{SUBNET}request_ip", f"{SUBNET}get_available_subnet_ip"),
    sandbox_only="the question goes past the API, as stacks do",
)
def _whoever_asks(aws: Account) -> None:
    node = instance(aws)
    subnet = aws.region.ec2.backend.get_subnet(node["SubnetId"])
    code = ""
    try:
        subnet.request_ip(node["PrivateIpAddress"], None)
    except Exception as error:  # noqa: BLE001  # moto's is a bare Exception
        code = getattr(error, "code", "")
    assert code == "InvalidIPAddress.InUse"
    held = _described(aws, a_interface(aws))["PrivateIpAddress"]
    assert subnet.get_available_subnet_ip(None) > held


@behaviour(
    "A ClientToken makes one interface.",
    source="EC2 API reference, idempotency",
    calls=CREATES,
    hooks=(f"{RESPONSES}create_network_interface",),
)
def _token(aws: Account) -> None:
    token = f"token-{aws.node().instance_id}"
    assert a_interface(aws, ClientToken=token) == a_interface(aws, ClientToken=token)
    other = {"SubnetId": instance(aws)["SubnetId"], "ClientToken": token, "Description": "another"}
    assert aws.refused("ec2", "create_network_interface", **other) == "IdempotentParameterMismatch"


@behaviour(
    "An interface that is in use cannot be deleted.",
    source="EC2 API reference, DeleteNetworkInterface",
    calls=("ec2.DeleteNetworkInterface",),
    hooks=(f"{RESPONSES}delete_network_interface",),
)
def _not_deleted(aws: Account) -> None:
    used = interface(aws)["NetworkInterfaceId"]
    assert aws.refused("ec2", "delete_network_interface", NetworkInterfaceId=used) == "InvalidParameterValue"
    unknown = {"NetworkInterfaceId": UNKNOWN["interface"]}
    assert aws.refused("ec2", "delete_network_interface", **unknown) == "InvalidNetworkInterfaceID.NotFound"


@behaviour(
    "An interface that is in use cannot be attached again, nor another at an index that is taken.",
    source="EC2 API reference, AttachNetworkInterface; EC2 API error codes",
    calls=("ec2.AttachNetworkInterface",),
    hooks=(f"{ENIS}NetworkInterfaceBackend.attach_network_interface",),
)
def _not_attached(aws: Account) -> None:
    node = aws.node().instance_id
    used = {"NetworkInterfaceId": interface(aws)["NetworkInterfaceId"], "InstanceId": node, "DeviceIndex": 1}
    assert aws.refused("ec2", "attach_network_interface", **used) == "InvalidNetworkInterface.InUse"
    taken = {"NetworkInterfaceId": a_interface(aws), "InstanceId": node, "DeviceIndex": 0}
    assert aws.refused("ec2", "attach_network_interface", **taken) == "InvalidParameterValue"


@behaviour(
    "The interface of an instance that is being launched is attaching, and in use when it runs.",
    source=GUIDE,
    calls=("ec2.RunInstances", "ec2.DescribeNetworkInterfaces"),
    hooks=("moto.ec2.models.instances:Instance.attach_eni", f"{ENIS}NetworkInterface.attachment"),
)
def _attaching(aws: Account) -> None:
    aws.node()
    with aws.lingering("pending"):
        made = a_launch(aws)
        told = made["NetworkInterfaces"][0]
        assert (told["Status"], told["Attachment"]["Status"]) == ("attaching", "attaching")
    assert is_in(aws, made["InstanceId"], "running")
    told = instance(aws, made["InstanceId"])["NetworkInterfaces"][0]
    assert (told["Status"], told["Attachment"]["Status"]) == ("in-use", "attached")


@behaviour(
    "The first interface of an instance cannot be detached; another one takes its time.",
    source=GUIDE,
    calls=("ec2.DetachNetworkInterface",),
    hooks=(f"{RESPONSES}detach_network_interface",),
)
def _detach(aws: Account) -> None:
    first = interface(aws)["Attachment"]["AttachmentId"]
    assert aws.refused("ec2", "detach_network_interface", AttachmentId=first) == "OperationNotPermitted"
    second, ask = a_interface(aws), {"InstanceId": aws.node().instance_id, "DeviceIndex": 1}
    attachment = ec2(aws).attach_network_interface(NetworkInterfaceId=second, **ask)["AttachmentId"]
    assert aws.eventually(lambda: _described(aws, second)["Status"] == "in-use")
    with aws.lingering("detaching"):
        ec2(aws).detach_network_interface(AttachmentId=attachment)
        assert _described(aws, second)["Status"] == "detaching"
    assert aws.eventually(lambda: _described(aws, second)["Status"] == "available")


@behaviour(
    "An interface that is told to survive is released after its instance, with its address.",
    source=f"{GUIDE}; EC2 API reference, ModifyNetworkInterfaceAttribute",
    calls=(*MODIFIES, "ec2.TerminateInstances"),
    hooks=(f"{RESPONSES}modify_network_interface_attribute",),
)
def _survives(aws: Account) -> None:
    made = a_running_instance(aws)
    told = instance(aws, made)["NetworkInterfaces"][0]
    change = {"AttachmentId": told["Attachment"]["AttachmentId"], "DeleteOnTermination": False}
    eni_id = told["NetworkInterfaceId"]
    ec2(aws).modify_network_interface_attribute(NetworkInterfaceId=eni_id, Attachment=change)
    ec2(aws).terminate_instances(InstanceIds=[made])
    assert aws.eventually(lambda: _described(aws, eni_id)["Status"] == "available")
    assert _described(aws, eni_id)["PrivateIpAddress"] == told["PrivateIpAddress"]
    ec2(aws).delete_network_interface(NetworkInterfaceId=eni_id)


@behaviour(
    "Attributes of an interface are changed one at a time, and an unknown attachment not at all.",
    source="EC2 API reference, ModifyNetworkInterfaceAttribute; assumed: the code for two at once",
    calls=MODIFIES,
    hooks=(f"{RESPONSES}modify_network_interface_attribute",),
)
def _one_at_a_time(aws: Account) -> None:
    eni_id = interface(aws)["NetworkInterfaceId"]
    two = {"Description": {"Value": "d"}, "SourceDestCheck": {"Value": False}}
    code = aws.refused("ec2", "modify_network_interface_attribute", NetworkInterfaceId=eni_id, **two)
    assert code == "InvalidParameterCombination"
    change = {"AttachmentId": "eni-attach-0123456789abcdef0", "DeleteOnTermination": False}
    code = aws.refused("ec2", "modify_network_interface_attribute", NetworkInterfaceId=eni_id, Attachment=change)
    assert code == "InvalidAttachmentID.NotFound"


@behaviour(
    "An interface has its own groups, whatever those of its instance are.",
    source="EC2 user guide, network interfaces",
    calls=("ec2.DescribeNetworkInterfaces",),
    hooks=(f"{ENIS}NetworkInterface.group_set",),
)
def _own_groups(aws: Account) -> None:
    group = _a_group(aws)
    second = a_interface(aws, Groups=[group])
    ask = {"InstanceId": aws.node().instance_id, "DeviceIndex": 1}
    ec2(aws).attach_network_interface(NetworkInterfaceId=second, **ask)
    found = ec2(aws).describe_network_interfaces(NetworkInterfaceIds=[second])["NetworkInterfaces"][0]
    assert [entry["GroupId"] for entry in found["Groups"]] == [group]


def _a_group(aws: Account) -> str:
    node = instance(aws)
    made = ec2(aws).create_security_group(GroupName=f"g-{node['InstanceId']}", Description="d", VpcId=node["VpcId"])
    if aws.is_real:
        aws.later(lambda: aws.refused("ec2", "delete_security_group", GroupId=made["GroupId"]))
    return str(made["GroupId"])


@behaviour(
    "The groups of an interface are replaced, not added to.",
    source="EC2 API reference, ModifyNetworkInterfaceAttribute",
    calls=MODIFIES,
    hooks=(f"{RESPONSES}modify_network_interface_attribute",),
)
def _groups(aws: Account) -> None:
    group, eni_id = _a_group(aws), interface(aws)["NetworkInterfaceId"]
    ec2(aws).modify_network_interface_attribute(NetworkInterfaceId=eni_id, Groups=[group])
    assert [entry["GroupId"] for entry in interface(aws)["Groups"]] == [group]
    assert [entry["GroupId"] for entry in instance(aws)["SecurityGroups"]] == [group]


@behaviour(
    "An interface is found by each of its addresses, by its subnet and by its id.",
    source="EC2 API reference, DescribeNetworkInterfaces",
    calls=("ec2.DescribeNetworkInterfaces",),
    hooks=(f"{ENIS}NetworkInterface.get_filter_value",),
)
def _filters(aws: Account) -> None:
    free = _described(aws, a_interface(aws))
    first, _, last = str(free["PrivateIpAddress"]).rpartition(".")
    addresses = [f"{first}.{int(last) + more}" for more in (1, 2)]
    asked = [{"PrivateIpAddress": address, "Primary": address == addresses[0]} for address in addresses]
    made = a_interface(aws, PrivateIpAddresses=asked)
    subnet = {"Name": "subnet-id", "Values": [free["SubnetId"]]}
    for name, value in (("addresses.private-ip-address", addresses[1]), ("network-interface-id", made)):
        filters = [subnet, {"Name": name, "Values": [value]}]
        found = ec2(aws).describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        assert [entry["NetworkInterfaceId"] for entry in found] == [made], name
