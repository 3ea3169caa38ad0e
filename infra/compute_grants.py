"""What a step's role may be given of EC2 and CloudWatch, where nodes are protected, watched, fenced and launched."""

import aws_cdk as cdk

from infra.grants import StepGrants
from infra.names import CLUSTER_TAG, METRICS, PREFIX


class ComputeGrants(StepGrants):
    """As narrow as each action allows; volumes and interfaces are EC2's knowledge, operators need not tag them."""

    def protect_nodes(self) -> None:
        """Read an instance's definition; keep its volumes and address; make an image of its boot volume."""
        self.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ec2:DescribeImages", sid="LookAtNodes")
        self.on_instances("ReadDefinitions", "ec2:GetLaunchTemplateData", "ec2:DescribeInstanceAttribute")
        # GetLaunchTemplateData asks these in the caller's name (aws.md §D3).
        self.describe(
            "ec2:DescribeInstanceCreditSpecifications", "ec2:DescribeSpotInstanceRequests", sid="CompleteDefinitions"
        )
        self.keep_volumes_and_interfaces()
        self._make_images()

    def keep_volumes_and_interfaces(self) -> None:
        """Set DeleteOnTermination to false."""
        volumes, interfaces = self.volumes(), self._arn("ec2", "network-interface", "*")
        self.on_instances("KeepWhatIsTheirs", "ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute")
        why = "Which are a node's is EC2's knowledge; the instance narrows them."
        self.allow("KeepVolumes", ["ec2:ModifyInstanceAttribute"], [volumes], why=why)
        self.allow("KeepInterfaces", ["ec2:ModifyNetworkInterfaceAttribute"], [interfaces], why=why)

    def _make_images(self) -> None:
        images, snapshots = self._public("image"), self.snapshots()
        self.on_instances("ImageClusterInstances", "ec2:CreateImage")
        tagged = {"StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": self.clusters}}
        why = "Ids are not known before; the tags of what is made narrow them."
        self.allow("ImageIntoTaggedImages", ["ec2:CreateImage"], [images, snapshots], tagged, why=why)
        self._tag_at_creation("CreateImage", images, snapshots)

    def watch_nodes(self) -> None:
        """Put and delete the alarms of nodes."""
        alarms = self._stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{PREFIX}-*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        self.allow(
            "WatchNodes",
            ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"],
            [alarms],
            why="Alarms are named after nodes, which come and go; the prefix is the scope.",
        )
        self.describe("cloudwatch:DescribeAlarms", sid="FindAlarms")
        self.put_metrics()  # what a new alarm is told before `health` has asked

    def put_metrics(self) -> None:
        """Record metrics in Aerokeep's namespace."""
        ours = {"StringEquals": {"cloudwatch:namespace": METRICS}}
        why = "PutMetricData has no resource in IAM; the namespace is the scope."
        self.allow("RecordHealth", ["cloudwatch:PutMetricData"], ["*"], ours, why=why)

    def fence_nodes(self) -> None:
        """Stop and terminate a cluster's instances; lift what protects one from that."""
        self.on_instances(
            "FenceNodes",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
            "ec2:ModifyInstanceAttribute",
            "ec2:DescribeInstanceAttribute",
        )
        self.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", sid="SeeThemEnd")

    def relaunch_nodes(self) -> None:
        """Launch instances with the clusters' tags, on interfaces and images that exist, with their own role only."""
        self.describe("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", sid="FindNodes")
        instances, volumes = self._arn("ec2", "instance", "*"), self.volumes()
        interfaces = self._arn("ec2", "network-interface", "*")
        tagged = {"StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": self.clusters}}
        made = "Ids are not known before; the tags of what is made narrow them."
        self.allow("LaunchNodes", ["ec2:RunInstances"], [instances], tagged, why=made)
        used = [
            volumes,
            interfaces,
            self._public("image"),
            self.snapshots(),
            *(self._arn("ec2", kind, "*") for kind in ("subnet", "security-group", "key-pair", "placement-group")),
        ]
        why = "Ids are those of the inventory; the tags of what is launched are the scope."
        self.allow("LaunchFromWhatNodesHad", ["ec2:RunInstances"], used, why=why)
        self.allow("MakeInterfacesAgain", ["ec2:CreateNetworkInterface"], [interfaces], tagged, why=made)
        around = [self._arn("ec2", kind, "*") for kind in ("subnet", "security-group")]
        self.allow("MakeInterfacesInSubnets", ["ec2:CreateNetworkInterface"], around, why=why)
        self._tag_at_creation("RunInstances", instances, volumes)
        self._tag_at_creation("CreateNetworkInterface", interfaces)
        self._pass_roles()
        self.use_volume_keys()  # of boot volumes: whoever launches must be allowed to use their keys

    def _pass_roles(self) -> None:
        """Nothing for clusters whose instance_roles are not told: their nodes have none, or can't be relaunched."""
        roles = sorted({role for cluster in self._estate.config.clusters.values() for role in cluster.instance_roles})
        if roles:
            to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
            self.allow("PassTheirRoles", ["iam:PassRole"], roles, to_ec2)

    def _tag_at_creation(self, action: str, *resources: str) -> None:
        at_creation = {"StringEquals": {"ec2:CreateAction": action}}
        why = f"Only what {action} makes is tagged."
        self.allow(f"TagAt{action}", ["ec2:CreateTags"], list(resources), at_creation, why=why)

    def _public(self, kind: str) -> str:
        # ARNs of images have no account, unlike those of volumes and instances.
        return self._stack.format_arn(service="ec2", account="", resource=kind, resource_name="*")
