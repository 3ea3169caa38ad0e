"""Stack of what starts a journey and what tells of its failure: schedules, rules, parameters, alarms, notifications."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_ssm as ssm
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.config import Config, Schedule
from infra.names import FAILURES_TOPIC, PARAMETERS, PREFIX, WATCH_PREFIX
from infra.schedules import Schedules
from infra.watch import Watch

# A backup that could not start for longer than this is reported, not started late.
OLDEST_START = cdk.Duration.minutes(15)
GUARDIAN_ROUND = cdk.Duration.minutes(5)
ORPHANS_ROUND = cdk.Duration.hours(1)
PROTECT_ROUND = cdk.Duration.hours(1)
# The alarms of nodes want a value a minute.
HEALTH_ROUND = cdk.Duration.minutes(1)
UNSUCCESSFUL = ["FAILED", "TIMED_OUT", "ABORTED"]


class TriggerStack(cdk.Stack):
    """One parameter and, where clusters.yaml has one, one schedule per cluster; the guardian; a topic of failures."""

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
        schedules = Schedules(self)
        backups = {name: cluster.schedule for name, cluster in config.clusters.items()}
        exports = {name: cluster.export.schedule for name, cluster in config.clusters.items()}
        self._start_on(backups, "backup", machines["backup"], schedules)
        self._start_on(exports, "export", machines["export"], schedules)
        self._guard(machines, schedules)
        self._keep_watch(config, machines, schedules)
        self._follow_alarms(machines["replace-node"])
        Watch(self, "Watch", clusters=config.clusters)
        self._report_failures(config, key, machines.values())

    @staticmethod
    def _start_on(
        wanted: Mapping[str, Schedule | None], journey: str, machine: sfn.StateMachine, schedules: Schedules
    ) -> None:
        """Start a journey for each cluster that names a schedule for it."""
        for name, schedule in wanted.items():
            if schedule is not None:
                schedules.start(
                    machine,
                    f"{journey}-{name}",
                    expression=scheduler.ScheduleExpression.expression(
                        schedule.expression, cdk.TimeZone.of(schedule.time_zone)
                    ),
                    request={"cluster": name, "scheduled_time": scheduler.ContextAttribute.scheduled_time},
                    description=f"Aerokeep: {journey} of cluster {name}",
                    oldest=OLDEST_START,
                )

    def _guard(self, machines: Mapping[str, sfn.StateMachine], schedules: Schedules) -> None:
        """At once when an execution did not succeed, as far as EventBridge tells it; and again and again, for sure."""
        guardian = machines["guardian"]
        schedules.start(
            guardian,
            "guardian",
            expression=scheduler.ScheduleExpression.rate(GUARDIAN_ROUND),
            request={},
            description="Aerokeep: settle what dead executions left",
            oldest=GUARDIAN_ROUND,
        )
        schedules.start(
            guardian,
            "orphans",
            expression=scheduler.ScheduleExpression.rate(ORPHANS_ROUND),
            request={"orphans": "delete"},
            description="Aerokeep: delete what dead runs left in AWS and nobody names, report the rest",
            oldest=ORPHANS_ROUND,
        )
        events.Rule(
            self,
            "CallGuardian",
            description="Aerokeep: runs that may have left something behind",
            # Its own failures would call it in a circle; its schedule does that with pauses.
            event_pattern=_unsuccessful(machine for machine in machines.values() if machine is not guardian),
            targets=[events_targets.SfnStateMachine(guardian, input=events.RuleTargetInput.from_object({}))],
        )

    def _keep_watch(self, config: Config, machines: Mapping[str, sfn.StateMachine], schedules: Schedules) -> None:
        for name in config.clusters:
            schedules.start(
                machines["protect"],
                f"protect-{name}",
                expression=scheduler.ScheduleExpression.rate(PROTECT_ROUND),
                request={"cluster": name, "scheduled_time": scheduler.ContextAttribute.scheduled_time},
                description=f"Aerokeep: keep inventory and alarms of cluster {name} current",
                oldest=OLDEST_START,
            )
        schedules.start(
            machines["health"],
            "health",
            expression=scheduler.ScheduleExpression.rate(HEALTH_ROUND),
            request={"scheduled_time": scheduler.ContextAttribute.scheduled_time},
            description="Aerokeep: ask every node how it is",
            oldest=HEALTH_ROUND,
        )

    def _follow_alarms(self, replace_node: sfn.StateMachine) -> None:
        """A node's alarm starts its replacement, which judges for itself whether the node is dead."""
        instance = "$.detail.configuration.metrics[0].metricStat.metric.dimensions.InstanceId"
        events.Rule(
            self,
            "FollowAlarms",
            description="Aerokeep: alarms of nodes",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                detail={
                    "alarmName": [{"prefix": f"{PREFIX}-"}],
                    "state": {"value": ["ALARM"]},
                },
            ),
            targets=[
                events_targets.SfnStateMachine(
                    replace_node,
                    input=events.RuleTargetInput.from_object(
                        {
                            "alarm": events.EventField.from_path("$.detail.alarmName"),
                            "instance": events.EventField.from_path(instance),
                        }
                    ),
                    max_event_age=OLDEST_START,
                    retry_attempts=8,
                )
            ],
        )

    def _report_failures(self, config: Config, key: kms.IKey, machines: Iterable[sfn.StateMachine]) -> None:
        topic = sns.Topic(
            self,
            "Failures",
            topic_name=FAILURES_TOPIC,
            display_name="Aerokeep failures",
            master_key=key,
            enforce_ssl=True,
        )
        for email in config.notifications.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        events.Rule(
            self,
            "ReportFailures",
            description="Aerokeep: executions that did not succeed",
            event_pattern=_unsuccessful(machines),
            targets=[events_targets.SnsTopic(topic)],
        )
        events.Rule(
            self,
            "ReportAlarms",
            description="Aerokeep: alarms of clusters",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                detail={"alarmName": [{"prefix": WATCH_PREFIX}], "state": {"value": ["ALARM"]}},
            ),
            targets=[events_targets.SnsTopic(topic)],
        )
        cdk.CfnOutput(self, "FailuresTopicArn", value=topic.topic_arn)


def _unsuccessful(machines: Iterable[sfn.StateMachine]) -> events.EventPattern:
    return events.EventPattern(
        source=["aws.states"],
        detail_type=["Step Functions Execution Status Change"],
        detail={"status": UNSUCCESSFUL, "stateMachineArn": [machine.state_machine_arn for machine in machines]},
    )
