"""One thread as a conversation, for those of the staff who may read it: first the reason, then the text."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.models import AbstractUser
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from conversations import selectors
from conversations.admin.shown import conversation
from conversations.api.files import as_file
from conversations.attachments import files
from conversations.models import AccessRecord, AttachmentUse, Thread
from conversations.page_words import page_words
from conversations.services.access import LEAST_REASON, MOST_REASON, record_access
from streaming.protocol.errors import InvalidRequest, NotFound
from streaming.protocol.text import clean

OPEN_FOR = timedelta(minutes=15)
PAGE = 20
SESSION_KEY = "transcripts"
MOST_KEPT = 20  # threads a session has open at once; the oldest must then be asked for again


class ReasonForm(forms.Form):
    reason = forms.CharField(
        min_length=LEAST_REASON,
        max_length=MOST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
        help_text=_("It is kept for good, and the owner of the conversation can read it."),
    )

    def clean_reason(self) -> str:
        return clean(self.cleaned_data["reason"])


@never_cache
def answer(request: HttpRequest, thread_id: UUID, context: dict[str, Any]) -> HttpResponse:
    """The question for a reason, or the transcript, to somebody whose right to it has been checked."""
    # The staff's one way to a thread that is not theirs: nothing of its text leaves here unrecorded.
    thread = Thread.objects.select_related("owner").filter(pk=thread_id).first()
    if thread is None:
        raise Http404
    context = {**context, "thread": thread, "title": _("Transcript")}
    if request.method == "POST":
        return _ask(request, thread, context, ReasonForm(request.POST))
    record = _open_record(request, thread)
    if record is None:
        return _ask(request, thread, context, ReasonForm())
    if "file" in request.GET:
        return _file(thread, request.GET["file"])
    return _show(request, thread, record, context)


def _ask(request: HttpRequest, thread: Thread, context: dict[str, Any], form: ReasonForm) -> HttpResponse:
    if not form.is_valid():
        return render(request, "admin/conversations/transcript/reason.html", {**context, "form": form})
    assert isinstance(request.user, AbstractUser)
    record = record_access(staff=request.user, thread=thread, reason=form.cleaned_data["reason"])
    opened = dict(list(request.session.get(SESSION_KEY, {}).items())[-MOST_KEPT + 1 :])
    request.session[SESSION_KEY] = {**opened, str(thread.pk): str(record.pk)}
    return redirect(request.get_full_path())


def _open_record(request: HttpRequest, thread: Thread) -> AccessRecord | None:
    """The record under which this session has the thread open: its own, of this very person, and recent."""
    record_id = request.session.get(SESSION_KEY, {}).get(str(thread.pk))
    if record_id is None:
        return None
    recent = AccessRecord.objects.filter(at__gt=timezone.now() - OPEN_FOR)
    return recent.filter(pk=record_id, staff_id=request.user.pk, thread_id=thread.pk).first()


def _file(thread: Thread, text: str) -> HttpResponse:
    """What a message of the thread has, to whoever has the thread open: under the same record."""
    try:
        use = AttachmentUse.objects.filter(message__thread=thread, attachment_id=UUID(text))
        found = use.select_related("attachment").first()
    except ValueError:
        found = None
    if found is None:
        raise Http404
    try:
        return as_file(found.attachment, files.read(found.attachment_id, "content"))
    except NotFound:
        raise Http404 from None


def _show(request: HttpRequest, thread: Thread, record: AccessRecord, context: dict[str, Any]) -> HttpResponse:
    leaf = _leaf(request, thread)
    try:
        page = selectors.message_page(thread=thread, cursor=request.GET.get("cursor"), leaf=leaf, size=PAGE)
    except InvalidRequest:
        raise Http404 from None
    context |= {
        "record": record,
        "open_until": record.at + OPEN_FOR,
        "messages_shown": conversation(page),
        "older": page.next,
        "newest": "cursor" not in request.GET,
        "boot": {"words": page_words()},
        "address": reverse("admin:conversations_thread_transcript", args=[thread.pk]),
        "leaf": leaf,
    }
    return render(request, "admin/conversations/transcript/page.html", context)


def _leaf(request: HttpRequest, thread: Thread) -> UUID | None:
    """The end of the branch that is asked for; None for the one that its owner sees."""
    text = request.GET.get("leaf")
    if not text:
        return None
    try:
        leaf = selectors.newest_below(thread_id=thread.pk, message_id=UUID(text))
    except ValueError:
        leaf = None
    if leaf is None:
        raise Http404
    return leaf
