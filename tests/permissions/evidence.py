"""One play of everything, and what IAM says of it."""

from dataclasses import dataclass
from pathlib import Path

from tests.permissions.estate import KEY_ARN, KEY_POLICY, Proof, config_of, synthesize
from tests.permissions.policies import Grant, Policies, deployed
from tests.permissions.programme import entered, names, play
from tests.permissions.recorder import Asked, PermissionRecorder
from tests.permissions.requests import Request
from tests.permissions.services import service_requests
from tests.permissions.simulator import Verdict, judged
from tests.permissions.world import World


@dataclass(frozen=True)
class Evidence:
    """What came of it."""

    wrong: list[str]
    """Plays that did not go as they should."""
    entered: dict[str, set[str]]
    asked: Asked
    origins: dict[Request, str]
    """Each request, with the call or the resource that it comes from."""
    policies: Policies
    verdicts: list[Verdict]

    @property
    def refused(self) -> list[str]:
        """What some policy does not allow, a line each."""
        return sorted(
            f"{self.policies.names.get(verdict.request.role, verdict.request.role)}: {verdict.request.ask.action} on "
            f"{verdict.request.ask.resource}, for {self.origins[verdict.request]}: {verdict.result} {verdict.why}"
            for verdict in self.verdicts
            if not verdict.allowed
        )

    @property
    def unused(self) -> list[Grant]:
        """What nothing has needed."""
        used = {grant for verdict in self.verdicts if verdict.allowed for grant in verdict.grants}
        return [grant for grant in self.policies.grants() if grant not in used]


def gathered(folder: Path) -> Evidence:
    """Synthesize, deploy, play, judge."""
    cdk_out = synthesize(config_of(names()), folder / "cdk.out")
    field = Proof.open(cdk_out=cdk_out)
    try:
        policies = deployed(field.region, cdk_out)
        policies.resource[KEY_ARN] = KEY_POLICY
        world = World(field.region, field.outputs["VaultName"], field.outputs["CatalogName"])
        with PermissionRecorder(world).recording() as asked:
            wrong = play(field)
        origins = {**service_requests(field.region, cdk_out), **asked.requests}
        states = entered(field)
    finally:
        field.close()
    return Evidence(wrong, states, asked, origins, policies, judged(policies, origins))
