"""Stack of the host program: one SSM document per verb, so that IAM can grant verbs apart."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.names import DOCUMENT_PREFIX


class DocumentsStack(cdk.Stack):
    """Publishes the documents that `node/pack.py` wrote, as they are."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        documents: Iterable[Path],
        **kwargs: Any,  # noqa: ANN401 - Stack's own
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        for path in documents:
            ssm.CfnDocument(
                self,
                "".join(word.capitalize() for word in path.stem.split("-")),
                name=DOCUMENT_PREFIX + path.stem,
                content=json.loads(path.read_text(encoding="utf-8")),
                document_format="JSON",
                document_type="Command",
                target_type="/AWS::EC2::Instance",
                # The default, Replace, is refused by CloudFormation for a document with a fixed name.
                update_method="NewVersion",
            )
