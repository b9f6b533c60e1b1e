from integrations.models.api_key import ApiAnswer, ApiKey, Scope
from integrations.models.audit import AuditEntry
from integrations.models.connection import Connection
from integrations.models.delivery import Delivery, DeliveryOutcome, Request
from integrations.models.figure import Figure
from integrations.models.job import AccountLock, JobState, SyncJob
from integrations.models.kinds import EntityKind, Priority, Standing, SyncStatus
from integrations.models.one_of import one_of
from integrations.models.operation import Operation, OperationLine, OperationState
from integrations.models.reconciliation import UsageDifference, UsageOfNobody, UsageReconciliation
from integrations.models.record import SyncRecord
from integrations.models.secret import EncryptedField
from integrations.models.stigg import StiggAccount, StiggEvent, StiggEventState
from integrations.models.timeline import Happening, TimelineEntry
from integrations.models.unasked import Unasked
from integrations.models.usage import (
    BatchState,
    UsageAction,
    UsageBatch,
    UsageCharge,
    UsageRecord,
    UsageState,
)

__all__ = [
    "AccountLock",
    "ApiAnswer",
    "ApiKey",
    "AuditEntry",
    "BatchState",
    "Connection",
    "Delivery",
    "DeliveryOutcome",
    "EncryptedField",
    "EntityKind",
    "Figure",
    "Happening",
    "JobState",
    "Operation",
    "OperationLine",
    "OperationState",
    "Priority",
    "Request",
    "Scope",
    "Standing",
    "StiggAccount",
    "StiggEvent",
    "StiggEventState",
    "SyncJob",
    "SyncRecord",
    "SyncStatus",
    "TimelineEntry",
    "Unasked",
    "UsageAction",
    "UsageBatch",
    "UsageCharge",
    "UsageDifference",
    "UsageOfNobody",
    "UsageReconciliation",
    "UsageRecord",
    "UsageState",
    "one_of",
]
