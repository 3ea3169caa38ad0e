"""Stack of what must survive: the vault, the catalog and their key."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.config import Config

RUNS_KEPT = cdk.Duration.days(30)
ACCESS_LOGS_KEPT = cdk.Duration.days(365)


class StorageStack(cdk.Stack):
    """Vault bucket, catalog table and key; nothing here goes away with the stack."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        **kwargs: Any,  # noqa: ANN401 - Stack's own
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=True, **kwargs)
        self.key = kms.Key(
            self,
            "Key",
            alias="alias/aerokeep",
            description="Aerokeep: vault, catalog and notifications",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self.vault = self._vault()
        self._let_hosts_transfer(config)
        # As an export, so that roles elsewhere and the acknowledgements beside them spell the ARN alike.
        self.vault_arn = self.export_value(self.vault.bucket_arn)
        self.catalog = dynamodb.Table(
            self,
            "Catalog",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        cdk.CfnOutput(self, "VaultName", value=self.vault.bucket_name)
        cdk.CfnOutput(self, "CatalogName", value=self.catalog.table_name)

    def _let_hosts_transfer(self, config: Config) -> None:
        """Exports can be terabytes, so hosts move them by their own roles: each cluster's in its own place."""
        for name, cluster in config.clusters.items():
            if not cluster.instance_roles:
                continue
            roles = [iam.ArnPrincipal(role) for role in cluster.instance_roles]
            own = self.vault.arn_for_objects(f"clusters/{name}/exports/*")
            others = [self.vault.arn_for_objects(f"clusters/{other}/exports/*") for other in cluster.export.import_from]
            write = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
            self._say_of_hosts(self.vault, roles, actions=write, resources=[own])
            self._say_of_hosts(self.vault, roles, actions=["s3:GetObject"], resources=[own, *others])
            # What a host may not write is the commit mark: only CommitExport says that an export exists.
            marks = [self.vault.arn_for_objects(f"clusters/{name}/exports/*/manifest.json")]
            self._say_of_hosts(self.vault, roles, actions=["s3:PutObject"], resources=marks, effect=iam.Effect.DENY)
            self.key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=roles,
                    # GenerateDataKey for what is written; a multipart upload decrypts its own parts again.
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions={"StringEquals": {"kms:ViaService": f"s3.{self.region}.{self.url_suffix}"}},
                )
            )

    @staticmethod
    def _say_of_hosts(
        vault: s3.Bucket,
        roles: list[iam.ArnPrincipal],
        *,
        actions: list[str],
        resources: list[str],
        effect: iam.Effect = iam.Effect.ALLOW,
    ) -> None:
        vault.add_to_resource_policy(
            iam.PolicyStatement(effect=effect, principals=roles, actions=actions, resources=resources)
        )

    def _vault(self) -> s3.Bucket:
        access_logs = s3.Bucket(
            self,
            "AccessLogs",
            # S3 delivers access logs only into buckets with its own keys or a key policy for the delivery service.
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire", expiration=ACCESS_LOGS_KEPT, noncurrent_version_expiration=cdk.Duration.days(1)
                )
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        acknowledge(access_logs, ["AwsSolutions-S1"], reason="It is the access log bucket; logging itself would loop.")
        return s3.Bucket(
            self,
            "Vault",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="vault/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="runs",
                    prefix="runs/",
                    expiration=RUNS_KEPT,
                    noncurrent_version_expiration=cdk.Duration.days(1),
                ),
                s3.LifecycleRule(id="aborted-uploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(7)),
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
