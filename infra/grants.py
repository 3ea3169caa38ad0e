"""What the role of a step may be given: each grant is one named statement, as narrow as the action allows."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import IConstruct

from infra.acknowledge import acknowledge, wildcard_rule
from infra.config import Config
from infra.names import CLUSTER_TAG, DOCUMENT_PREFIX, FAILURES_TOPIC, PARAMETERS, PREFIX, RUN_TAG

RUNS = "runs/*"
POINTS = "clusters/*/points/*"
EXPORTS = "clusters/*/exports/*"
INVENTORY = "clusters/*/inventory.json"
INVENTORY_FILES = "clusters/*/inventory/*"


@dataclass(frozen=True)
class Estate:
    """What there is to be granted."""

    config: Config
    vault: s3.IBucket
    vault_arn: str
    catalog: dynamodb.ITable
    key: kms.IKey
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    """(Path of a role's owner, statement) → why its resources end in a wildcard; an empty statement is CDK's own."""


def failures_topic_arn(stack: cdk.Stack) -> str:
    """Name the topic of failures; it is in a stack that comes later."""
    return stack.format_arn(service="sns", resource=FAILURES_TOPIC)


def instance_conditions(config: Config) -> list[dict[str, Any]]:
    """One IAM condition per tag key: instances of the clusters in clusters.yaml match one of them, no other does."""
    values: dict[str, list[str]] = defaultdict(list)
    for cluster in config.clusters.values():
        values[cluster.tag.key].append(cluster.tag.value)
        if (beside := cluster.export.runner_tag) is not None:
            values[beside.key].append(beside.value)
    return [{"StringEquals": {f"aws:ResourceTag/{key}": found}} for key, found in values.items()]


class StepGrants:
    """Gives one step's role what its methods say, and nothing before one is called."""

    def __init__(self, step: IConstruct, role: iam.Role, estate: Estate) -> None:
        self._step = step
        self._role = role
        self._estate = estate
        self._stack = cdk.Stack.of(step)
        self._uses_volume_keys = False

    def read_cluster_parameters(self) -> None:
        """Read any cluster's configuration: a name that does not exist must be told from one that is forbidden."""
        arn = self._arn("ssm", "parameter", f"{PARAMETERS.lstrip('/')}/*")
        why = "Clusters come and go; every parameter below the prefix is Aerokeep's."
        self.allow("ReadClusterConfiguration", ["ssm:GetParameter"], [arn], why=why)

    def list_cluster_parameters(self) -> None:
        """List the clusters that were deployed."""
        path = self._arn("ssm", "parameter", PARAMETERS.lstrip("/"))
        self.allow("ListClusters", ["ssm:GetParametersByPath"], [path])

    def describe_our_executions(self) -> None:
        """Ask whether an execution of one of our machines still runs."""
        executions = self._stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{PREFIX}-*:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        why = "Executions are named when they start; the machine's name is the scope."
        self.allow("DescribeOurExecutions", ["states:DescribeExecution"], [executions], why=why)

    def publish_failures(self) -> None:
        """Send a message to the topic of failures."""
        self.allow("PublishFailures", ["sns:Publish"], [failures_topic_arn(self._stack)])
        self._use_key("EncryptMessages", "sns", ["kms:Decrypt", "kms:GenerateDataKey"])

    def read_vault(self, *prefixes: str) -> None:
        """Get objects below ``prefixes``."""
        self._objects("ReadVault", "s3:GetObject", prefixes)
        # Without ListBucket, S3 answers 403 instead of 404 for a key that is not there.
        self.allow("TellAbsentFromForbidden", ["s3:ListBucket"], [self._estate.vault_arn])
        self._use_key("DecryptVault", "s3", ["kms:Decrypt"])

    def write_vault(self, *prefixes: str) -> None:
        """Put objects below ``prefixes``."""
        self._objects("WriteVault", "s3:PutObject", prefixes)
        self._use_key("EncryptVault", "s3", ["kms:GenerateDataKey"])

    def collect_exports(self) -> None:
        """Delete what given-up exports have written, version by version, and unfinished uploads."""
        exports = f"{self._estate.vault_arn}/{EXPORTS}"
        why = "Keys hold ids of exports; the prefix is the scope."
        self.allow("CollectExports", ["s3:AbortMultipartUpload", "s3:DeleteObjectVersion"], [exports], why=why)
        lists = ["s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
        self.allow("FindLeftovers", lists, [self._estate.vault_arn])

    def use_catalog(self, *actions: str) -> None:
        """Call ``actions`` (such as ``GetItem``) on the catalog table."""
        self.allow("UseCatalog", [f"dynamodb:{action}" for action in actions], [self._estate.catalog.table_arn])
        # DynamoDB asks for the caller's right to the table's key; these are what the AWS manual lists for a table key.
        self._use_key(
            "UseCatalogKey", "dynamodb", ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
        )

    def send(self, *verbs: str) -> None:
        """Run the documents of ``verbs`` on the clusters' instances, and read what they answered."""
        self.order(*verbs)
        self.describe("ssm:GetCommandInvocation", "ssm:ListCommandInvocations", sid="ReadCommands")

    def order(self, *verbs: str) -> None:
        """Run the documents of ``verbs`` on the clusters' instances; another step reads what they answered."""
        documents = [self._arn("ssm", "document", DOCUMENT_PREFIX + verb) for verb in verbs]
        self.allow("RunHostVerbs", ["ssm:SendCommand"], documents)
        self.on_instances("RunOnClusterInstances", "ssm:SendCommand")

    def describe(self, *actions: str, sid: str = "Describe") -> None:
        """Call read actions that cannot be scoped to a resource."""
        self.allow(sid, actions, ["*"], why="IAM knows no resource for these reads.")

    def cut_snapshots(self) -> None:
        """Take one multi-volume set per instance, tagged at creation, and tag nothing that exists already."""
        volumes, snapshots = self.volumes(), self.snapshots()
        self.on_instances("CutClusterInstances", "ec2:CreateSnapshots")
        why = "Which volumes are the instance's is EC2's knowledge, and operators need not tag them."
        self.allow("CutTheirVolumes", ["ec2:CreateSnapshots"], [volumes], why=why)
        clusters = sorted(self._estate.config.clusters)
        tagged = {
            "StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": clusters},
            "Null": {f"aws:RequestTag/{RUN_TAG}": "false"},
        }
        why = "Ids are not known before; the tags of what is made narrow them."
        self.allow("CutIntoTaggedSnapshots", ["ec2:CreateSnapshots"], [snapshots], tagged, why=why)
        at_creation = {"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}}
        why = "Only what CreateSnapshots makes is tagged."
        self.allow("TagAtCreation", ["ec2:CreateTags"], [snapshots], at_creation, why=why)

    def tag_our_snapshots(self) -> None:
        """Add tags to snapshots that a run of ours made."""
        self._on_our_snapshots("TagOurSnapshots", "ec2:CreateTags")

    def delete_our_snapshots(self) -> None:
        """Delete snapshots that a run of ours made."""
        self._on_our_snapshots("DeleteOurSnapshots", "ec2:DeleteSnapshot")

    def use_volume_keys(self) -> None:
        """Have EC2 make and attach volumes that are encrypted with the customer keys of clusters.yaml, if any."""
        keys = sorted({key for cluster in self._estate.config.clusters.values() for key in cluster.kms_keys})
        if not keys or self._uses_volume_keys:
            return
        self._uses_volume_keys = True
        via = {"kms:ViaService": f"ec2.{self._stack.region}.{self._stack.url_suffix}"}
        actions = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"]
        self.allow("UseVolumeKeys", [*actions, "kms:ReEncryptFrom", "kms:ReEncryptTo"], keys, {"StringEquals": via})
        granted = {"StringEquals": via, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        self.allow("GrantVolumeKeys", ["kms:CreateGrant"], keys, granted)

    @property
    def clusters(self) -> list[str]:
        """The names of all clusters."""
        return sorted(self._estate.config.clusters)

    def volumes(self) -> str:
        """Every volume; a condition narrows it."""
        return self._arn("ec2", "volume", "*")

    def interfaces(self) -> str:
        """Every network interface; a condition narrows it."""
        return self._arn("ec2", "network-interface", "*")

    def _on_our_snapshots(self, sid: str, action: str) -> None:
        of_a_run = {"StringLike": {f"aws:ResourceTag/{RUN_TAG}": "*"}}
        self.allow(sid, [action], [self.snapshots()], of_a_run, why="Only snapshots that carry a run of ours match.")

    def on_instances(self, sid: str, *actions: str) -> None:
        """Do ``actions`` to instances of the clusters."""
        instances = self._arn("ec2", "instance", "*")
        why = "Only instances with a cluster's tag match."
        for number, condition in enumerate(instance_conditions(self._estate.config)):
            self.allow(f"{sid}{number or ''}", list(actions), [instances], condition, why=why)

    def _objects(self, sid: str, action: str, prefixes: tuple[str, ...]) -> None:
        arns = [f"{self._estate.vault_arn}/{prefix}" for prefix in prefixes]
        self.allow(sid, [action], arns, why="Keys hold ids of runs and points; the prefix is the scope.")

    def _use_key(self, sid: str, service: str, actions: list[str]) -> None:
        via = {"StringEquals": {"kms:ViaService": f"{service}.{self._stack.region}.{self._stack.url_suffix}"}}
        self.allow(sid, actions, [self._estate.key.key_arn], via)

    def snapshots(self) -> str:
        """Every snapshot; a condition narrows it."""
        # Snapshot ARNs have no account, unlike those of volumes and instances.
        return self._stack.format_arn(service="ec2", account="", resource="snapshot", resource_name="*")

    def _arn(self, service: str, resource: str, name: str) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name)

    def allow(
        self,
        sid: str,
        actions: tuple[str, ...] | list[str],
        resources: list[str],
        conditions: dict[str, Any] | None = None,
        *,
        why: str = "",
    ) -> None:
        """Add one named statement; ``why`` says why a resource ends in a wildcard, where one does."""
        self._role.add_to_policy(
            iam.PolicyStatement(sid=sid, actions=list(actions), resources=resources, conditions=conditions)
        )
        if why:
            self._estate.reasons[self._step.node.path, sid] = why
            acknowledge(self._step, [wildcard_rule(self._step, resource) for resource in resources], reason=why)
