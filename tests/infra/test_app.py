"""`python app.py`: offline, without credentials, the same bytes every time, clear where something is missing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from infra.build_products import BuildProducts
from infra.config_file import read_config
from infra.stacks import build_app
from tests.infra.synthesis import STACKS, Synthesis

NOWHERE = "http://127.0.0.1:9"


def start(root: Path, *, outdir: Path, hash_seed: str = "0") -> subprocess.Popen[str]:
    """Run app.py as an operator without network or AWS credentials would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    offline = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "AWS_EC2_METADATA_DISABLED": "true"}
    return subprocess.Popen(
        [sys.executable, str(root / "app.py")],
        env={**kept, **offline, "CDK_OUTDIR": str(outdir), "PYTHONHASHSEED": hash_seed},
        cwd=outdir.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def copy_without_build(root: Path, target: Path) -> None:
    for name in ("app.py", "cdk.json", "clusters.yaml"):
        shutil.copy(root / name, target)
    for name in ("infra", "statemachines"):
        (target / name).symlink_to(root / name)


@pytest.mark.usefixtures("products")
def test_a_synth_with_cdk_nag_offline_writes_the_same_bytes_again_and_again(
    root: Path, tmp_path: Path, synthesis: Synthesis
) -> None:
    runs = [start(root, outdir=tmp_path / seed, hash_seed=seed) for seed in ("1", "2")]
    for run in runs:
        output, errors = run.communicate(timeout=120)
        assert (run.returncode, output, errors) == (0, "", "")
    for stack in STACKS:
        first, second = ((tmp_path / seed / f"{stack}.template.json").read_bytes() for seed in ("1", "2"))
        assert first == second
        assert first == synthesis.template_path(stack).read_bytes()


def test_without_build_products_it_says_which_command_makes_them(root: Path, tmp_path: Path) -> None:
    copy_without_build(root, tmp_path)
    run = start(tmp_path, outdir=tmp_path / "cdk.out")
    output, errors = run.communicate(timeout=120)
    assert (run.returncode, output) == (2, "")
    assert "build/functions, build/layer, build/node/documents not built yet; run: make layer" in errors
    assert "Traceback" not in errors


def test_a_wrong_clusters_file_fails_the_synth_with_every_mistake(
    root: Path, tmp_path: Path, products: BuildProducts
) -> None:
    copy_without_build(root, tmp_path)
    (tmp_path / "build").symlink_to(products.functions.parent)
    (tmp_path / "clusters.yaml").write_text("clusters:\n  demo:\n    tga: {}\n    shortfall: maybe\n", encoding="utf-8")
    run = start(tmp_path, outdir=tmp_path / "cdk.out")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "clusters.yaml: 3 mistakes" in errors
    assert "clusters.yaml:3: clusters.demo.tga: is not known; did you mean tag?" in errors
    assert "clusters.yaml:4: clusters.demo.shortfall: 'maybe' is not one of the choices" in errors
    assert not (tmp_path / "cdk.out").exists()


def test_the_app_file_only_puts_things_together(root: Path) -> None:
    assert len((root / "app.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_cdk_nag_fails_the_synth_of_what_nobody_acknowledged(
    root: Path, tmp_path: Path, products: BuildProducts
) -> None:
    app = build_app(read_config(root / "clusters.yaml"), products, context={}, outdir=tmp_path, nag=True)
    sqs.Queue(cdk.Stack(app, "Careless"), "Queue")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    assert "AwsSolutions-SQS3" in json.dumps(report)
