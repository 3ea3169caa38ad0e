"""The witness's programme end to end: a sound run is called sound, and a broken world is caught."""

import pytest

from tests.estate import CDK_OUT
from tests.witness.__main__ import main


@pytest.mark.sampled
def test_a_run_is_judged_and_a_mutation_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    code = main(["--runs", "1", "--seed", "6", "--mutation", "volumes-apart", "--processes", "1", "--lanes", "2"])
    *_, last = capfd.readouterr().out.splitlines()
    assert last == "witness: runs=1 mislabelled=0 mutations_caught=1/1"
    assert code == 0
