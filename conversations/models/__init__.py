"""What is stored. Rules about one row are methods here; changes are verbs in services, questions are selectors."""

from conversations.models.access import AccessRecord
from conversations.models.attachment import Attachment, AttachmentUse, LooseFile
from conversations.models.feed import FeedEvent, FeedHead
from conversations.models.idempotency import IdempotencyKey
from conversations.models.message import Message
from conversations.models.model_pull import ModelPull
from conversations.models.model_server import LearnedModel, ModelAlias, ModelServer
from conversations.models.run import Approval, Run, Step
from conversations.models.run_log import RunCheckpoint, RunEvent, RunLease
from conversations.models.search import SearchEntry
from conversations.models.server_process import ServerProcess
from conversations.models.thread import Folder, Thread

__all__ = [
    "AccessRecord",
    "Approval",
    "Attachment",
    "AttachmentUse",
    "FeedEvent",
    "FeedHead",
    "Folder",
    "IdempotencyKey",
    "LearnedModel",
    "LooseFile",
    "Message",
    "ModelAlias",
    "ModelPull",
    "ModelServer",
    "Run",
    "RunCheckpoint",
    "RunEvent",
    "RunLease",
    "SearchEntry",
    "ServerProcess",
    "Step",
    "Thread",
]
