"""Resources of types that moto's CloudFormation does not know: named and kept, then made through their own API."""

from typing import Any

Properties = dict[str, Any]

NAMES = {
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::S3::BucketPolicy": "Bucket",
}
ARNS = {
    "AWS::Scheduler::Schedule": "arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}",
    "AWS::Scheduler::ScheduleGroup": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}",
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
}


class Kept:
    """What moto's stack holds for such a resource."""

    cf_resource_type = ""
    logical_resource_id = ""

    def __init__(self, physical_id: str, arn: str) -> None:
        self.physical_resource_id = physical_id
        self.arn = arn

    @classmethod
    def has_cfn_attr(cls, attribute: str) -> bool:
        """Only ``Arn`` can be asked for."""
        return attribute == "Arn"

    def get_cfn_attribute(self, attribute: str) -> str:
        """``Fn::GetAtt``."""
        if attribute != "Arn":
            raise NotImplementedError(f"{attribute} of {self.cf_resource_type}")
        return self.arn

    def is_created(self) -> bool:
        """Nothing to wait for."""
        return True

    def delete(self, account_id: str, region_name: str) -> None:
        """What was made through its own API is removed the same way."""

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
        **kwargs: str,
    ) -> "Kept":
        """Called by moto with resolved properties."""
        kind, wanted = kwargs["ResourceType"], cloudformation_json["Properties"]
        name = str(wanted.get(NAMES.get(kind, ""), resource_name))
        group = wanted.get("GroupName", "default")
        arn = ARNS.get(kind, "").format(region=region_name, account=account_id, group=group, name=name)
        return cls(name, arn)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "Kept",
        new_resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
    ) -> "Kept":
        """Called by moto with the properties that it has from now on."""
        kind = original_resource.cf_resource_type
        return cls.create_from_cloudformation_json(
            new_resource_name, cloudformation_json, account_id, region_name, ResourceType=kind
        )
