import hmac
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from chatserver.ids import new_id
from streaming.protocol.approvals import binding
from streaming.protocol.lifecycle import ACTIVE, RunStatus, StepStatus


class Run(models.Model):
    """One answer in the making, or made. Its status changes by compare-and-set only (see services)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    thread = models.ForeignKey("conversations.Thread", on_delete=models.CASCADE, related_name="runs")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs")
    lane = models.PositiveSmallIntegerField(default=0)
    waiting = models.BooleanField(default=False)
    question = models.ForeignKey(
        "conversations.Message", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    answer = models.ForeignKey(
        "conversations.Message", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    status = models.CharField(
        max_length=16, default=RunStatus.QUEUED.value, choices=[(s.value, s.value) for s in RunStatus]
    )
    provider = models.CharField(max_length=100, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    parameters = models.JSONField(default=dict, blank=True)
    tools = models.JSONField(null=True, blank=True)  # the names that were asked for; null: all there are
    system_prompt = models.TextField(null=True, blank=True)  # its own; null: its thread's, as that is when it is asked
    attempt = models.PositiveIntegerField(default=0)
    request = models.JSONField(null=True, blank=True)  # of a waiting send: content, attachments, model
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_by = models.CharField(max_length=40, blank=True, default="")
    cancel_reason = models.CharField(max_length=40, blank=True, default="")
    finish_reason = models.CharField(max_length=40, null=True, blank=True)
    # Of an incomplete one: what its ``thread.run.incomplete`` gives as the reason; what the model server said is above.
    reason = models.CharField(max_length=40, null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    usage = models.JSONField(null=True, blank=True)
    timing = models.JSONField(null=True, blank=True)
    notices = models.JSONField(null=True, blank=True)  # what its model was not given (streaming/protocol/notices.py)
    # What form the answer is to have, and what became of that (streaming/protocol/response_format.py).
    response_format = models.JSONField(null=True, blank=True)
    structured = models.JSONField(null=True, blank=True)
    # What it took until it was parked (streaming/engine/measure.py), for whoever goes on with it.
    so_far = models.JSONField(null=True, blank=True)
    # The number of its last event, written with the terminal status; the live head stands on the lease.
    head = models.PositiveBigIntegerField(default=0)
    # Texts of events that belong to a change of state, where the log is not the database.
    opening_events = models.JSONField(default=list, blank=True)
    closing_events = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    log_pruned = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["thread", "lane"],
                condition=Q(status__in=sorted(ACTIVE), waiting=False),
                name="one_active_run_a_thread_and_lane",
            )
        ]
        indexes = [
            models.Index(fields=["status", "waiting", "created_at"], name="run_queue"),
            models.Index(fields=["owner", "-created_at"], name="run_owner"),
            models.Index(fields=["thread", "-created_at"], name="run_thread"),
            models.Index(fields=["thread", "created_at"], name="run_waiting", condition=Q(waiting=True)),
            models.Index(fields=["finished_at"], name="run_log_to_prune", condition=Q(log_pruned=False)),
            # How long the last ones of a model server took, and how many of a person wait.
            models.Index(fields=["provider", "-finished_at"], name="run_ended", condition=Q(finished_at__isnull=False)),
            # For the administration: the latest of all, of a model, with an error; and which of these there are.
            models.Index(fields=["-created_at"], name="run_latest"),
            models.Index(fields=["model", "-created_at"], name="run_model"),
            models.Index(fields=["error_code", "-created_at"], name="run_error"),
            models.Index(fields=["owner"], name="run_owner_waits", condition=Q(status=RunStatus.QUEUED.value)),
        ]

    def __str__(self) -> str:
        return f"{self.model} ({self.status})"


class Step(models.Model):
    """A stretch of reasoning or one tool call, written when its run ends (or parks); until then the log has it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in StepStatus])
    title = models.CharField(max_length=200, blank=True, default="")
    name = models.CharField(max_length=200, null=True, blank=True)
    arguments = models.JSONField(null=True, blank=True)
    output = models.TextField(null=True, blank=True)
    output_cut = models.BooleanField(default=False)
    details = models.TextField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="one_step_an_index")]

    def __str__(self) -> str:
        return f"{self.kind} step {self.pk}"


class Approval(models.Model):
    """A decision that a run waits for: bound to the exact arguments, decided once."""

    class Decision(models.TextChoices):
        PENDING = "", "pending"
        APPROVE = "approve"
        DENY = "deny"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals")
    step_id = models.UUIDField()
    tool = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict)  # what the model asked for
    changed = models.JSONField(null=True, blank=True)  # what was approved instead; null: as it was asked for
    arguments_hash = models.CharField(max_length=64)  # of what may run (streaming/protocol/approvals.py)
    decision = models.CharField(max_length=10, blank=True, default=Decision.PENDING, choices=Decision)
    note = models.TextField(blank=True, default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.tool}: {self.decision or 'pending'}"

    @property
    def approved_arguments(self) -> dict[str, Any] | None:
        """What may run; None where nothing may, or where these are not the arguments that were approved."""
        if self.decision != self.Decision.APPROVE:
            return None
        arguments: dict[str, Any] = self.arguments if self.changed is None else self.changed
        bound_to = binding(run_id=str(self.run_id), tool=self.tool, arguments=arguments)
        return arguments if hmac.compare_digest(bound_to, self.arguments_hash) else None
