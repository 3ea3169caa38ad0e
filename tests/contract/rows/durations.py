"""How long things take where the latency model says so."""

import json

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.workflow.region.shapes import a_function, a_machine, finished

CHOSEN = "how long it takes is the latency model's choice"
PASSES = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}}}


@behaviour(
    "Step Functions takes time from state to state.",
    source="assumed: no trustworthy figure is published",
    calls=("states.StartExecution", "states.DescribeExecution", "states.GetExecutionHistory"),
    hooks=("moto.stepfunctions.parser.asl.component.state.state:CommonStateField._set_next",),
    sandbox_only=CHOSEN,
    pace=Pace(transition_s=0.2),
)
def _transition(aws: Account) -> None:
    ended = finished(aws.region, a_machine(aws.region, PASSES), {})
    history = aws.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]
    left, entered = (
        next(e["timestamp"] for e in history if e["type"] == kind and e[key]["name"] == name)
        for kind, key, name in (
            ("PassStateEntered", "stateEnteredEventDetails", "A"),
            ("PassStateEntered", "stateEnteredEventDetails", "B"),
        )
    )
    assert (entered - left).total_seconds() >= aws.region.pace.transition_s


@behaviour(
    "A call takes as long as the profile says, and its effect is in the middle of it.",
    source="assumed: for most calls no figure is published",
    sandbox_only=CHOSEN,
    pace=Pace(calls_s={"sns.CreateTopic": 0.4}),
)
def _call(aws: Account) -> None:
    with aws.region.recorder.recording() as record:
        aws.client("sns").create_topic(Name="t")
        aws.client("sns").list_topics()
        assert aws.eventually(lambda: len(record.calls) == len(("CreateTopic", "ListTopics")))
    made, listed = sorted(record.calls, key=lambda call: call.at)
    assert made.seconds >= aws.region.pace.call_s("sns.CreateTopic")
    assert listed.at >= made.at + made.seconds


@behaviour(
    "A function's new instance starts cold, and the next invocation finds it warm.",
    source="Lambda developer guide, execution environment lifecycle",
    calls=("lambda.Invoke",),
    sandbox_only=CHOSEN,
    pace=Pace(lambda_cold_s=0.4),
)
def _cold(aws: Account) -> None:
    a_function(aws.region, "f", "def handler(event, context): return 1\n")
    with aws.region.recorder.recording() as record:
        for _ in range(2):
            assert json.loads(aws.client("lambda").invoke(FunctionName="f")["Payload"].read()) == 1
        assert aws.eventually(lambda: len([c for c in record.calls if c.action == "Invoke"]) > 1)
    cold, warm = sorted((c for c in record.calls if c.action == "Invoke"), key=lambda call: call.at)
    assert cold.seconds >= aws.region.pace.lambda_cold_s
    assert cold.seconds > warm.seconds
