"""Schedules that start journeys: one group, one role, and one queue for what could not be started in time."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from infra.acknowledge import acknowledge
from infra.names import PREFIX


class Schedules:
    """Adds schedules to a stack."""

    def __init__(self, stack: cdk.Stack) -> None:
        self._stack = stack
        self._unstarted = sqs.Queue(
            stack,
            "Unstarted",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        acknowledge(self._unstarted, ["AwsSolutions-SQS3"], reason="It is the dead-letter queue of the schedules.")
        self._group = scheduler.ScheduleGroup(
            stack, "Schedules", schedule_group_name=PREFIX, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        # The group's name as text: its Arn attribute would make role and group wait for each other.
        group_arn = stack.format_arn(service="scheduler", resource="schedule-group", resource_name=PREFIX)
        self._role = iam.Role(
            stack,
            "SchedulerRole",
            description="Aerokeep: EventBridge Scheduler starts journeys",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account, "aws:SourceArn": group_arn}},
            ),
        )

    def start(
        self,
        machine: sfn.StateMachine,
        name: str,
        *,
        expression: scheduler.ScheduleExpression,
        request: Mapping[str, Any],
        description: str,
        oldest: cdk.Duration,
    ) -> None:
        """Start ``machine`` by ``expression``.

        Args:
            machine: the journey's state machine.
            name: the schedule's.
            expression: when.
            request: the execution's input; may hold the Scheduler's context attributes.
            description: for the console.
            oldest: a start that is later than this goes to the queue.

        """
        scheduler.Schedule(
            self._stack,
            name[0].upper() + name[1:],
            schedule_name=name,
            schedule_group=self._group,
            description=description,
            schedule=expression,
            target=targets.StepFunctionsStartExecution(
                machine,
                role=self._role,
                dead_letter_queue=self._unstarted,
                max_event_age=oldest,
                input=scheduler.ScheduleTargetInput.from_object(dict(request)),
            ),
        )
