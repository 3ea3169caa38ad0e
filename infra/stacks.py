"""Put the four stacks together: what survives, what hosts run, what a backup does, and what starts it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from infra.build_products import BuildProducts
from infra.config import Config
from infra.documents_stack import DocumentsStack
from infra.storage_stack import StorageStack
from infra.trigger_stack import TriggerStack
from infra.workflow_stack import WorkflowStack


def build_app(
    config: Config, products: BuildProducts, *, context: Mapping[str, Any], outdir: Path, nag: bool
) -> cdk.App:
    """Build every stack; account and region come from the context (`-c account=… -c region=…`) or at deployment.

    With ``nag``, findings of cdk-nag fail the synth; it is off where `assertions.Template` reads the stacks.

    """
    app = cdk.App(context=dict(context), outdir=str(outdir), analytics_reporting=False)
    env = cdk.Environment(account=app.node.try_get_context("account"), region=app.node.try_get_context("region"))
    if nag:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    storage = StorageStack(app, "AerokeepStorage", config=config, env=env)
    documents = DocumentsStack(app, "AerokeepDocuments", documents=products.documents, env=env)
    workflow = WorkflowStack(app, "AerokeepWorkflow", config=config, products=products, storage=storage, env=env)
    workflow.add_stack_dependency(documents)  # its roles and steps name the documents
    TriggerStack(app, "AerokeepTrigger", config=config, key=storage.key, machines=workflow.machines, env=env)
    return app
