"""Stack of what starts a journey and what tells of its failure: schedules, parameters and notifications."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.config import Config, Schedule
from infra.names import PARAMETERS, PREFIX

# A backup that could not start for longer than this is reported, not started late.
OLDEST_START = cdk.Duration.minutes(15)


class TriggerStack(cdk.Stack):
    """One parameter and, where clusters.yaml has one, one schedule per cluster; one topic for all failures."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        key: kms.IKey,
        machines: Mapping[str, sfn.StateMachine],
        **kwargs: Any,  # noqa: ANN401 - Stack's own
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        for name, cluster in config.clusters.items():
            ssm.StringParameter(
                self,
                f"Cluster-{name}",
                parameter_name=f"{PARAMETERS}/{name}",
                description=f"Aerokeep: configuration of cluster {name}, written from clusters.yaml",
                string_value=json.dumps(cluster.parameter(name), separators=(",", ":")),
            )
        self._schedules(config, machines["backup"])
        self._report_failures(config, key, list(machines.values()))

    def _schedules(self, config: Config, backup: sfn.StateMachine) -> None:
        unstarted = sqs.Queue(
            self,
            "Unstarted",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        acknowledge(unstarted, ["AwsSolutions-SQS3"], reason="It is the dead-letter queue of the schedules.")
        group = scheduler.ScheduleGroup(
            self, "Schedules", schedule_group_name=PREFIX, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        # The group's name as text: its Arn attribute would make role and group wait for each other.
        group_arn = self.format_arn(service="scheduler", resource="schedule-group", resource_name=PREFIX)
        role = iam.Role(
            self,
            "SchedulerRole",
            description="Aerokeep: EventBridge Scheduler starts backups",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account, "aws:SourceArn": group_arn}},
            ),
        )
        for name, cluster in config.clusters.items():
            if cluster.schedule:
                self._schedule(name, cluster.schedule, backup, group=group, role=role, unstarted=unstarted)

    def _schedule(
        self,
        cluster: str,
        schedule: Schedule,
        backup: sfn.StateMachine,
        *,
        group: scheduler.ScheduleGroup,
        role: iam.Role,
        unstarted: sqs.Queue,
    ) -> None:
        scheduler.Schedule(
            self,
            f"Backup-{cluster}",
            schedule_name=f"backup-{cluster}",
            schedule_group=group,
            description=f"Aerokeep: backup of cluster {cluster}",
            schedule=scheduler.ScheduleExpression.expression(schedule.expression, cdk.TimeZone.of(schedule.time_zone)),
            target=targets.StepFunctionsStartExecution(
                backup,
                role=role,
                dead_letter_queue=unstarted,
                max_event_age=OLDEST_START,
                input=scheduler.ScheduleTargetInput.from_object(
                    {"cluster": cluster, "scheduled_time": scheduler.ContextAttribute.scheduled_time}
                ),
            ),
        )

    def _report_failures(self, config: Config, key: kms.IKey, machines: list[sfn.StateMachine]) -> None:
        topic = sns.Topic(self, "Failures", display_name="Aerokeep failures", master_key=key, enforce_ssl=True)
        for email in config.notifications.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        events.Rule(
            self,
            "ReportFailures",
            description="Aerokeep: executions that did not succeed",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [machine.state_machine_arn for machine in machines],
                },
            ),
            targets=[events_targets.SnsTopic(topic)],
        )
        cdk.CfnOutput(self, "FailuresTopicArn", value=topic.topic_arn)
