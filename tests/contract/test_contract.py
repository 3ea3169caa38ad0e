"""The region behaves as AWS is documented to, row by row; without its hooks moto would not."""

import re
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError

from sandbox.region import Pace, hooks
from sandbox.region.hooks.hook import Hook
from tests.contract.account import HOW_TO, Account, real
from tests.contract.behaviour import Behaviour
from tests.contract.conftest import MakeAccount
from tests.contract.rows import BEHAVIOURS

WRONG = (AssertionError, ClientError, BotoCoreError, ResponseParserError, ValueError, TypeError, KeyError, IndexError)


@pytest.mark.parametrize("row", BEHAVIOURS, ids=lambda row: row.says)
def test_aws_behaves_so(row: Behaviour, account_at: MakeAccount) -> None:
    if row.sandbox_only and real():
        pytest.skip(f"a real account can't be asked: {row.sandbox_only}")
    row.check(account_at(row.pace))


HOOKED = [(row, target) for row in BEHAVIOURS for target in row.hooks]


@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
@pytest.mark.parametrize(("row", "target"), HOOKED, ids=[f"{row.says}-{target}" for row, target in HOOKED])
def test_moto_alone_does_not(row: Behaviour, target: str, account_at: MakeAccount) -> None:
    account = account_at(row.pace)
    account.node()  # before moto has its own way
    with hooks.lifted(target):
        assert _fails(row, account)


def _fails(row: Behaviour, account: Account) -> bool:
    try:
        row.check(account)
    except WRONG:
        return True
    return False


OF_EC2 = ("moto.ec2.", "moto.ebs.", "moto.kms.")
"""Where hooks are that must be named by a row."""
CALLERS = Path("functions/aerokeep/aws")
CALL = re.compile(r"""self\._(ec2|ebs|kms)\.(?:get_paginator\(\s*["'])?(\w+)""")


def _named(hook: Hook) -> bool:
    return any(hook.target in row.hooks for row in BEHAVIOURS)


def test_each_hook_is_named_by_a_row_that_fails_without_it() -> None:
    assert [hook.target for hook in hooks.HOOKS if hook.target.startswith(OF_EC2) and not _named(hook)] == []
    known = {hook.target for hook in hooks.HOOKS}
    assert [target for _, target in HOOKED if target not in known] == []


def test_each_call_of_ours_has_a_row() -> None:
    called = {found for path in CALLERS.glob("*.py") for found in CALL.findall(path.read_text())}
    assert len(called) > 1
    told = {call for row in BEHAVIOURS for call in row.calls}
    assert sorted(f"{service}.{_operation(service, method)}" for service, method in called) == sorted(
        {f"{service}.{_operation(service, method)}" for service, method in called} & told
    )


def _operation(service: str, method: str) -> str:
    """The API's name of a client's method."""
    operations = Loader().load_service_model(service, "service-2")["operations"]
    return next(str(name) for name in operations if xform_name(name) == method)


def test_each_row_says_something_of_its_own_and_where_it_is_documented() -> None:
    assert len({row.says for row in BEHAVIOURS}) == len(BEHAVIOURS)
    assert all(row.says.endswith(".") and row.source for row in BEHAVIOURS)


@pytest.mark.skipif(real(), reason="the sandbox is not what is asked")
def test_a_row_that_does_not_hold_fails(account_at: MakeAccount) -> None:
    account = account_at(Pace())
    wrong = Behaviour(says="Pigs fly.", source="none", check=_fly)
    assert _fails(wrong, account)
    assert HOW_TO


def _fly(aws: Account) -> None:
    assert aws.refused("ec2", "describe_instances") == "PigsDoNotFly"
