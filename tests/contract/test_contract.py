"""The region behaves as AWS is documented to, row by row; without its hooks moto would not."""

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sandbox.region import Pace, hooks
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
