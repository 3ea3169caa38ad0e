"""A refused plan tells the operator what to do, also where the host found what is wrong."""

import pytest
from aerokeep.model.survey import Problem
from aerokeep.rules.plan import REMEDIES, UNUSABLE, judge_plan

from tests.builders import a_config, a_namespace, a_path, a_survey, an_instance


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_what_a_host_says_of_a_path_is_told_with_its_remedy(code: str) -> None:
    path = a_path(volume_id=None, problem=Problem(code=code, detail="what the host saw"))
    survey = a_survey(namespaces=[a_namespace(paths=(path,))])
    verdict = judge_plan(a_config(), instances={"i-1": an_instance()}, surveys={"i-1": survey})
    assert [refusal.code for refusal in verdict.refusals] == [code]
    assert verdict.message.endswith(f"what the host saw: {REMEDIES[code]}")


@pytest.mark.parametrize("code", sorted(UNUSABLE))
def test_a_server_that_cannot_be_backed_up_at_all_is_refused_with_the_remedy(code: str) -> None:
    survey = a_survey().model_copy(update={"problems": (Problem(code=code, detail="what the host saw"),)})
    verdict = judge_plan(a_config(), instances={"i-1": an_instance()}, surveys={"i-1": survey})
    assert [refusal.code for refusal in verdict.refusals] == [code]
    assert f"(i-1): what the host saw: {UNUSABLE[code]}" in verdict.message


def test_what_only_informs_refuses_nothing() -> None:
    note = Problem(code="conf_differs", detail="the conf was edited")
    survey = a_survey().model_copy(update={"problems": (note,)})
    assert judge_plan(a_config(), instances={"i-1": an_instance()}, surveys={"i-1": survey}).plan is not None
