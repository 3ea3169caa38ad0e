"""One state's Lambda with its own role and its own log group."""

import re
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.compute_grants import ComputeGrants
from infra.grants import Estate, failures_topic_arn
from infra.journeys import package_of
from infra.names import DOCUMENT_PREFIX, PARAMETERS
from infra.step import Step

RUNTIME = lambda_.Runtime.PYTHON_3_14
ARCHITECTURE = lambda_.Architecture.ARM_64
LOGS_KEPT = logs.RetentionDays.THREE_MONTHS


@dataclass(frozen=True)
class Package:
    """The code that all functions share."""

    code: lambda_.Code
    layer: lambda_.ILayerVersion


def module_of(journey: str, state: str) -> str:
    """Name the step module of a state: ``backup``, ``StopWrites`` → ``aerokeep.steps.backup.stop_writes``."""
    return f"aerokeep.steps.{package_of(journey)}.{re.sub(r'(?<!^)(?=[A-Z])', '_', state).lower()}"


class StepFunction(Construct):
    """Construct id = state name."""

    def __init__(self, scope: Construct, step: Step, *, journey: str, package: Package, estate: Estate) -> None:
        super().__init__(scope, step.state)
        log_group = logs.LogGroup(self, "Logs", retention=LOGS_KEPT, removal_policy=cdk.RemovalPolicy.DESTROY)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Aerokeep {journey}: {step.state}",
        )
        log_group.grant_write(role)
        step.grant(ComputeGrants(self, role, estate))
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"Aerokeep {journey}: {step.state}",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"{module_of(journey, step.state)}.handler",
            code=package.code,
            layers=[package.layer],
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            timeout=cdk.Duration.seconds(step.timeout_s),
            memory_size=step.memory_mb,
            environment={
                "AEROKEEP_VAULT": estate.vault.bucket_name,
                "AEROKEEP_CATALOG": estate.catalog.table_name,
                "AEROKEEP_CONFIG_PREFIX": PARAMETERS,
                "AEROKEEP_DOCUMENT_PREFIX": DOCUMENT_PREFIX,
                "AEROKEEP_FAILURES_TOPIC": failures_topic_arn(cdk.Stack.of(self)),
                "POWERTOOLS_SERVICE_NAME": "aerokeep",
                "POWERTOOLS_METRICS_NAMESPACE": "Aerokeep",
            },
        )
        traces = "Active tracing: X-Ray segments have no resource in IAM."
        estate.reasons[self.node.path, ""] = traces
        acknowledge(self, ["AwsSolutions-IAM5[Resource::*]"], reason=traces)
