"""Alarms of clusters, and the dashboard of the estate: each alarm has its entry in the runbook."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.config import Cluster
from infra.names import METRICS, PREFIX, WATCH_PREFIX

AGE, RANK = "NewestPointAgeSeconds", "NewestPointRank"
STOP, LEASES, ACTIONS = "WriteStopSeconds", "LeasesEnded", "GuardianActions"
ORPHANS = "OrphansKept"
LABELS = ("cluster", "node", "crash")
HEALTH_PERIOD = cdk.Duration.minutes(5)
"""``health`` records the ages each minute."""
MOST_ACTIONS_A_DAY = 3
SERVICE = {"service": PREFIX}
"""What is put through the log carries this dimension, as Powertools writes it."""


@dataclass(frozen=True)
class Watched:
    """One alarm of a cluster."""

    code: str
    """Its name is ``aerokeep.<cluster>.<code>``, and the runbook has an entry of this name."""
    says: str
    metric: str
    statistic: str
    dimensions: Mapping[str, str]
    above: float
    period: cdk.Duration
    periods: int = 1
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


def alarms_of(name: str, cluster: Cluster) -> list[Watched]:
    """What a cluster's operators want to be woken for."""
    of_run = {"cluster": name, **SERVICE}
    alarms = [
        Watched(
            "write-stop-over-budget",
            f"writes were stopped for longer than write_stop.budget_s ({cluster.write_stop.budget_s} s)",
            metric=STOP,
            statistic="p99",
            dimensions=of_run,
            above=cluster.write_stop.budget_s,
            period=cdk.Duration.hours(1),
        ),
        Watched(
            "lease-ended",
            "a host ended its write stop by itself, since nobody told it to",
            metric=LEASES,
            statistic="Sum",
            dimensions=of_run,
            above=0,
            period=HEALTH_PERIOD,
        ),
        Watched(
            "guardian-busy",
            f"the guardian had to act more than {MOST_ACTIONS_A_DAY} times in a day",
            metric=ACTIONS,
            statistic="Sum",
            dimensions=of_run,
            above=MOST_ACTIONS_A_DAY,
            period=cdk.Duration.days(1),
        ),
        Watched(
            "orphans-kept",
            "for a day there has been something of a dead run that nobody names and that a person has to look at",
            metric=ORPHANS,
            statistic="Maximum",
            dimensions=of_run,
            above=0,
            period=cdk.Duration.hours(1),
            periods=24,
        ),
    ]
    if (hours := cluster.oldest_point_hours) is not None:
        age = Watched(
            "recovery-point-age",
            f"no recovery point of consistency {cluster.consistency} is younger than {hours} h, or nobody knows",
            metric=AGE,
            statistic="Maximum",
            dimensions={"cluster": name, "label": cluster.consistency},
            above=hours * 3600,
            period=HEALTH_PERIOD,
            periods=2,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        alarms.insert(0, age)
    return alarms


class Watch(Construct):
    """The alarms of each cluster, without actions: EventBridge hears of every change. One dashboard for all."""

    def __init__(self, scope: Construct, construct_id: str, *, clusters: Mapping[str, Cluster]) -> None:
        super().__init__(scope, construct_id)
        for name, cluster in clusters.items():
            for watched in alarms_of(name, cluster):
                self._alarm(name, watched)
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=PREFIX,
            default_interval=cdk.Duration.days(7),
            widgets=[row for name, cluster in clusters.items() for row in _rows(name, cluster)],
        )

    def _alarm(self, name: str, watched: Watched) -> None:
        metric = _metric(watched.metric, watched.dimensions, watched.statistic, watched.period)
        metric.create_alarm(
            self,
            f"{name}-{watched.code}",
            alarm_name=f"{WATCH_PREFIX}{name}.{watched.code}",
            alarm_description=f"Aerokeep, cluster {name}: {watched.says}. docs/runbook.md, {watched.code}",
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=watched.above,
            evaluation_periods=watched.periods,
            datapoints_to_alarm=watched.periods,
            treat_missing_data=watched.missing,
        )


def _metric(
    name: str, dimensions: Mapping[str, str], statistic: str, period: cdk.Duration, label: str | None = None
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS,
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=period,
        label=label,
    )


def _rows(name: str, cluster: Cluster) -> list[list[cloudwatch.IWidget]]:
    """A heading and one row of graphs for each cluster."""
    of_run, hour = {"cluster": name, **SERVICE}, cdk.Duration.hours(1)
    ages = [_metric(AGE, {"cluster": name, "label": label}, "Maximum", HEALTH_PERIOD, label) for label in LABELS]
    stops = [_metric(STOP, of_run, statistic, hour, statistic) for statistic in ("p50", "p99")]
    rank = _metric(RANK, {"cluster": name}, "Minimum", hour, "3 cluster, 2 node, 1 crash")
    acts = [_metric(metric, of_run, "Sum", hour, metric) for metric in (ACTIONS, LEASES, ORPHANS)]
    budget = cloudwatch.HorizontalAnnotation(value=cluster.write_stop.budget_s, label="budget")
    oldest = cluster.oldest_point_hours
    limit = [] if oldest is None else [cloudwatch.HorizontalAnnotation(value=oldest * 3600, label="rpo_hours")]
    return [
        [cloudwatch.TextWidget(markdown=f"## {name}", width=24, height=1)],
        [
            cloudwatch.GraphWidget(title=f"{name}: age of the newest point (s)", left=ages, left_annotations=limit),
            cloudwatch.GraphWidget(title=f"{name}: writes stopped (s)", left=stops, left_annotations=[budget]),
            cloudwatch.GraphWidget(title=f"{name}: label of the newest point", left=[rank]),
            cloudwatch.GraphWidget(title=f"{name}: guardian, leases, orphans", left=acts),
        ],
    ]
