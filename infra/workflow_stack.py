"""Stack of what the journeys do: a Lambda per step, and the state machines that call them."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.build_products import BuildProducts
from infra.config import Config
from infra.grants import Estate
from infra.journeys import JOURNEYS, construct_id
from infra.names import PREFIX
from infra.step import Step
from infra.step_function import ARCHITECTURE, LOGS_KEPT, RUNTIME, Package, StepFunction
from infra.storage_stack import StorageStack

_NO_BYTECODE = ["**/__pycache__", "**/*.pyc"]


class WorkflowStack(cdk.Stack):
    """Functions, roles, log groups and state machines; may be thrown away and made anew."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        products: BuildProducts,
        storage: StorageStack,
        **kwargs: Any,  # noqa: ANN401 - Stack's own
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self._products = products
        self._estate = Estate(
            config, vault=storage.vault, vault_arn=storage.vault_arn, catalog=storage.catalog, key=storage.key
        )
        self._package = Package(
            code=lambda_.Code.from_asset(str(products.functions), exclude=_NO_BYTECODE),
            layer=lambda_.LayerVersion(
                self,
                "ThirdParty",
                description="What functions/requirements.txt locks",
                code=lambda_.Code.from_asset(str(products.layer), exclude=_NO_BYTECODE),
                compatible_runtimes=[RUNTIME],
                compatible_architectures=[ARCHITECTURE],
            ),
        )
        self.machines = {name: self._journey(name, steps) for name, steps in JOURNEYS.items()}
        """By the journey's name."""
        self.reasons = self._estate.reasons

    def _journey(self, name: str, steps: tuple[Step, ...]) -> sfn.StateMachine:
        # Two journeys may have states of one name, such as AcquireLock: each has a scope of its own.
        scope = Construct(self, construct_id(name))
        functions = {
            step.state: StepFunction(scope, step, journey=name, package=self._package, estate=self._estate).function
            for step in steps
        }
        arns = {state: function.function_arn for state, function in functions.items()}
        definition = (self._products.state_machines / f"{name}.asl.json").read_text(encoding="utf-8")
        machine = sfn.StateMachine(
            scope,
            "Machine",
            state_machine_name=f"{PREFIX}-{name}",
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions=arns,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    scope,
                    "MachineLogs",
                    # The prefix keeps CloudWatch from adding each group to a resource policy of limited size.
                    log_group_name=f"/aws/vendedlogs/states/{PREFIX}-{name}",
                    retention=LOGS_KEPT,
                    removal_policy=cdk.RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        machine.add_to_role_policy(
            iam.PolicyStatement(sid="InvokeSteps", actions=["lambda:InvokeFunction"], resources=list(arns.values()))
        )
        theirs = "Log delivery and X-Ray, as CDK writes them: neither has a resource in IAM."
        self._estate.reasons[machine.node.path, ""] = theirs
        acknowledge(machine, ["AwsSolutions-IAM5[Resource::*]"], reason=theirs)
        cdk.CfnOutput(self, f"{construct_id(name)}MachineArn", value=machine.state_machine_arn)
        return machine
