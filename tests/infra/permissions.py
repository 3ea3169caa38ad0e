"""The permissions of each step's role, as they should be: ``action resource``, the resource in short."""

LOGS_AND_TRACES = {
    "logs:CreateLogStream logs",
    "logs:PutLogEvents logs",
    "xray:PutTelemetryRecords *",
    "xray:PutTraceSegments *",
}
CATALOG_KEY = {"kms:Decrypt key", "kms:DescribeKey key", "kms:Encrypt key", "kms:GenerateDataKey key"}
GET = {"dynamodb:GetItem catalog"} | CATALOG_KEY
PUT = {"dynamodb:PutItem catalog"} | CATALOG_KEY
UPDATE = {"dynamodb:UpdateItem catalog"} | CATALOG_KEY
READ_RUNS = {"s3:GetObject runs/*", "s3:ListBucket vault", "kms:Decrypt key"}
WRITE_RUNS = {"s3:PutObject runs/*", "kms:GenerateDataKey key"}
READ_POINTS = {"s3:GetObject clusters/*/points/*"}
WRITE_POINTS = {"s3:PutObject clusters/*/points/*", "kms:GenerateDataKey key"}
READ_INVENTORY = {"s3:GetObject clusters/*/inventory.json"}
WRITE_INVENTORY = {"s3:PutObject clusters/*/inventory.json", "kms:GenerateDataKey key"}
BULK = READ_RUNS | WRITE_RUNS
SEND = {"ssm:SendCommand instance/*", "ssm:GetCommandInvocation *", "ssm:ListCommandInvocations *"}
SNAPSHOTS = {"ec2:DescribeSnapshots *"}


def verbs(*names: str) -> set[str]:
    return {f"ssm:SendCommand document/aerokeep-{name}" for name in names} | SEND


CUT = {"ec2:CreateSnapshots instance/*", "ec2:CreateSnapshots volume/*", "ec2:CreateSnapshots snapshot/*"}
FIND = {"ec2:DescribeInstances *", "ec2:DescribeVolumes *", "ssm:DescribeInstanceInformation *"}

BACKUP: dict[str, set[str]] = {
    "AcquireLock": {"ssm:GetParameter parameter/aerokeep/clusters/*"} | GET | PUT | UPDATE | WRITE_RUNS,
    "DiscoverCluster": FIND | verbs("survey") | GET | BULK,
    "PlanBackup": BULK,
    "StopWrites": verbs("stop-writes", "resume-writes") | UPDATE | BULK,
    "CutSnapshots": CUT | {"ec2:CreateTags snapshot/*", "ec2:DescribeInstances *"} | SNAPSHOTS | GET | UPDATE | BULK,
    "ResumeWrites": verbs("resume-writes") | BULK,
    "TagSnapshots": {"ec2:CreateTags snapshot/*"} | GET | READ_RUNS,
    "CaptureMetadata": verbs("capture") | GET | BULK | WRITE_POINTS,
    "CheckSnapshots": SNAPSHOTS | READ_RUNS,
    "VerifyPoint": SNAPSHOTS | BULK | READ_POINTS,
    "CommitPoint": GET | PUT | READ_RUNS | READ_POINTS | WRITE_POINTS | READ_INVENTORY | WRITE_INVENTORY,
    "ReleaseLock": UPDATE,
    "AbandonPoint": verbs("resume-writes")
    | SNAPSHOTS
    | {"ec2:DeleteSnapshot snapshot/*"}
    | GET
    | PUT
    | UPDATE
    | READ_RUNS
    | READ_POINTS
    | WRITE_POINTS,
}

INSTANCES = {"ec2:DescribeInstances *"}
KEEP = {
    "ec2:ModifyInstanceAttribute instance/*",
    "ec2:ModifyInstanceAttribute volume/*",
    "ec2:ModifyNetworkInterfaceAttribute instance/*",
    "ec2:ModifyNetworkInterfaceAttribute network-interface/*",
}
PROTECT_NODES = (
    INSTANCES
    | KEEP
    | {f"ec2:CreateImage {kind}/*" for kind in ("instance", "image", "snapshot")}
    | {"ec2:CreateTags image/*", "ec2:CreateTags snapshot/*"}
    | {"ec2:GetLaunchTemplateData instance/*", "ec2:DescribeInstanceAttribute instance/*"}
    | {"ec2:DescribeVolumes *", "ec2:DescribeImages *"}
    | {"ec2:DescribeInstanceCreditSpecifications *", "ec2:DescribeSpotInstanceRequests *"}
)
BACKUP["ProtectNodes"] = PROTECT_NODES | GET | BULK
WATCH = {
    "cloudwatch:PutMetricData *",
    "cloudwatch:DescribeAlarms *",
    "cloudwatch:PutMetricAlarm alarm:aerokeep-*",
    "cloudwatch:DeleteAlarms alarm:aerokeep-*",
    "cloudwatch:TagResource alarm:aerokeep-*",
}
RELAUNCH = (
    {"ec2:DescribeNetworkInterfaces *", "ssm:DescribeInstanceInformation *"}
    | INSTANCES
    | {
        f"ec2:RunInstances {kind}/*"
        for kind in (
            *("instance", "volume", "network-interface", "image", "snapshot"),
            *("subnet", "security-group", "key-pair"),
        )
    }
    | {f"ec2:CreateNetworkInterface {kind}/*" for kind in ("network-interface", "subnet", "security-group")}
    | {f"ec2:CreateTags {kind}/*" for kind in ("instance", "volume", "network-interface")}
)

# IAM knows no resource for these (aws.md §I1, §I2): the only actions that may stand beside "*".
UNSCOPED = {
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricData",  # the namespace of the metric is its condition
    "ec2:DescribeImages",
    "ec2:DescribeInstanceCreditSpecifications",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeVolumes",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
LOOK = verbs("health") | BULK
CREATE_VOLUMES = {"ec2:CreateVolume volume/*", "ec2:CreateVolume snapshot/*", "ec2:CreateTags volume/*"}
MOVE_VOLUMES = {f"ec2:{act}Volume {on}/*" for act in ("Attach", "Detach") for on in ("instance", "volume")}
VOLUMES = {"ec2:DescribeVolumes *"}

RESTORE: dict[str, set[str]] = {
    "AcquireLock": {"ssm:GetParameter parameter/aerokeep/clusters/*"} | GET | UPDATE | BULK,
    "SurveyCluster": FIND | verbs("survey") | BULK,
    "PlanRestore": SNAPSHOTS | VOLUMES | BULK | READ_POINTS,
    "RelaunchNodes": RELAUNCH | verbs("survey") | GET | BULK | READ_POINTS,
    "FenceCluster": verbs("stop") | GET | BULK,
    "CreateVolumes": CREATE_VOLUMES | VOLUMES | GET | BULK,
    "SwapVolumes": {"ec2:CreateTags volume/*"} | MOVE_VOLUMES | VOLUMES | GET | BULK,
    "StageNodes": verbs("stage") | GET | BULK | READ_POINTS,
    "StartCluster": verbs("start") | GET | BULK,
    "CheckCluster": LOOK,
    "OpenWrites": verbs("open-writes") | GET | BULK,
    "VerifyRestore": LOOK,
    "ReleaseLock": GET | UPDATE | READ_RUNS | READ_POINTS | WRITE_INVENTORY,
    "RollBack": verbs("stop", "stage", "start")
    | {"ec2:CreateTags volume/*", "ec2:DeleteTags volume/*"}
    | MOVE_VOLUMES
    | VOLUMES
    | GET
    | UPDATE
    | BULK,
    "HaltRestore": GET | UPDATE,
}
DESCRIBE_EXECUTIONS = {"states:DescribeExecution execution:aerokeep-*:*"}
GUARDIAN: dict[str, set[str]] = {
    "FindDeadRuns": {
        "ssm:GetParameter parameter/aerokeep/clusters/*",
        "ssm:GetParametersByPath parameter/aerokeep/clusters",
    }
    | DESCRIBE_EXECUTIONS
    | GET,
    "SettleRun": BACKUP["AbandonPoint"]
    | DESCRIBE_EXECUTIONS
    | {"sns:Publish aerokeep-failures", "kms:Decrypt key", "kms:GenerateDataKey key"},
}
PARAMETERS = {"ssm:GetParameter parameter/aerokeep/clusters/*"}
LIST_PARAMETERS = PARAMETERS | {"ssm:GetParametersByPath parameter/aerokeep/clusters"}
WRITE_INVENTORY_FILES = {"s3:PutObject clusters/*/inventory/*", "kms:GenerateDataKey key"}
ANSWERS = {"ssm:GetCommandInvocation *", "ssm:ListCommandInvocations *"}

PROTECT: dict[str, set[str]] = {
    "SurveyNodes": PARAMETERS | FIND | verbs("survey") | GET | BULK,
    "CaptureConf": verbs("capture") | GET | BULK | READ_INVENTORY | WRITE_INVENTORY_FILES,
    "ProtectNodes": PROTECT_NODES | WATCH | GET | BULK | READ_INVENTORY | WRITE_INVENTORY,
}
HEALTH: dict[str, set[str]] = {
    "AskNodes": LIST_PARAMETERS
    | FIND
    | verbs("health")
    | GET
    | WRITE_RUNS
    | READ_INVENTORY
    | {"s3:ListBucket vault", "kms:Decrypt key"},
    "RecordHealth": {"cloudwatch:PutMetricData *"} | ANSWERS | GET | READ_RUNS,
}
REPLACE_NODE: dict[str, set[str]] = {
    "AcquireLock": PARAMETERS | GET | UPDATE | BULK | READ_INVENTORY,
    "DiagnoseNode": INSTANCES
    | {"ec2:DescribeInstanceStatus *", "ssm:DescribeInstanceInformation *"}
    | verbs("health")
    | GET
    | BULK,
    "ProtectNode": KEEP
    | INSTANCES
    | {"ec2:DescribeVolumes *", "ec2:DescribeNetworkInterfaces *", "ec2:DescribeImages *"}
    | GET
    | BULK,
    "FenceNode": INSTANCES
    | VOLUMES
    | {f"ec2:{act} instance/*" for act in ("StopInstances", "TerminateInstances")}
    | {f"ec2:{act} instance/*" for act in ("ModifyInstanceAttribute", "DescribeInstanceAttribute")}
    | GET
    | BULK,
    "RelaunchNode": RELAUNCH | verbs("survey") | GET | BULK,
    "AttachVolumes": CREATE_VOLUMES | MOVE_VOLUMES | VOLUMES | GET | BULK,
    "StageNode": verbs("stage") | GET | BULK | READ_POINTS | {"s3:GetObject clusters/*/inventory/*"},
    "StartNode": verbs("start") | GET | BULK,
    "CheckNode": verbs("open-writes", "health", "survey") | PROTECT_NODES | WATCH | GET | PUT | BULK | WRITE_INVENTORY,
    "ReleaseLock": UPDATE | READ_RUNS,
    "HaltReplacement": GET | UPDATE | READ_RUNS,
}
READ_EXPORTS = {"s3:GetObject clusters/*/exports/*", "s3:ListBucket vault", "kms:Decrypt key"}
WRITE_EXPORTS = {"s3:PutObject clusters/*/exports/*", "kms:GenerateDataKey key"}
COLLECT_EXPORTS = {
    f"s3:{action} clusters/*/exports/*" for action in ("AbortMultipartUpload", "DeleteObject", "DeleteObjectVersion")
} | {"s3:ListBucketMultipartUploads vault", "s3:ListBucketVersions vault"}
EXPORT: dict[str, set[str]] = {
    "AcquireLock": PARAMETERS | GET | PUT | UPDATE | WRITE_RUNS,
    "FindRunners": FIND | verbs("health", "status", "survey") | GET | BULK,
    "EstimateExport": verbs("export", "status") | GET | BULK,
    "PlanExport": BULK,
    "StopWrites": verbs("stop-writes", "resume-writes") | UPDATE | BULK,
    "RunExport": verbs("export", "status") | GET | BULK,
    "ResumeWrites": verbs("resume-writes") | BULK,
    "VerifyExport": verbs("import", "status") | GET | BULK | READ_EXPORTS,
    "CommitExport": GET | PUT | READ_RUNS | READ_EXPORTS | WRITE_EXPORTS,
    "ReleaseLock": UPDATE | READ_EXPORTS | COLLECT_EXPORTS,
    "AbandonExport": verbs("cancel", "resume-writes")
    | GET
    | PUT
    | UPDATE
    | READ_RUNS
    | READ_EXPORTS
    | WRITE_EXPORTS
    | COLLECT_EXPORTS,
}
GUARDIAN["SettleRun"] |= EXPORT["AbandonExport"]
IMPORT: dict[str, set[str]] = {
    "AcquireLock": PARAMETERS | GET | UPDATE | BULK | READ_EXPORTS,
    "SurveyCluster": FIND | verbs("health", "status", "survey") | BULK,
    "PlanImport": BULK,
    "RunImport": verbs("import", "status") | GET | BULK,
    "CheckImport": INSTANCES | VOLUMES | verbs("health") | BULK,
    "ReleaseLock": UPDATE | READ_RUNS,
    "HaltImport": GET | UPDATE | READ_RUNS,
}
PERMISSIONS = {
    "backup": BACKUP,
    "export": EXPORT,
    "import": IMPORT,
    "restore": RESTORE,
    "replace-node": REPLACE_NODE,
    "protect": PROTECT,
    "health": HEALTH,
    "guardian": GUARDIAN,
}
