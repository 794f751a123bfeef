"""The laws of this code: what is true of every line, asked of the syntax tree. One small function a law.

A law yields a line's number and what is wrong there. Exceptions stand in ``EXCEPTIONS``, each with its reason.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("chatserver", "conversations", "streaming")


@dataclass(frozen=True)
class Source:
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def within(self, *places: str) -> bool:
        return self.path.startswith(places)

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def calls(self) -> Iterator[ast.Call]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node


Found = Iterator[tuple[int, str]]
Law = Callable[[Source], Found]

OWNED = frozenset(
    {"Thread", "Message", "Folder", "Run", "Step", "Approval", "RunLease", "RunEvent", "FeedHead", "FeedEvent"}
    | {"IdempotencyKey", "AccessRecord", "ApiToken", "Attachment", "AttachmentUse", "RunCheckpoint", "SearchEntry"}
)
_DOORS = ("streaming/transports/", "conversations/api/", "conversations/pages.py", "chatserver/accounts/api.py")


def name_of(node: ast.AST) -> str:
    """``a.b.c`` of an expression, as far as it is one."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{name_of(value)}.{attr}".lstrip(".")
    return ""


def last(node: ast.AST) -> str:
    return name_of(node).rpartition(".")[2]


def owned_rows_come_through_a_gate(source: Source) -> Found:
    """What answers requests asks no table of owned things itself: gates, selectors and verbs do."""
    if not source.within(*_DOORS):
        return
    for node in source.nodes(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        if node.attr in ("objects", "_default_manager") and last(node.value) in OWNED:
            yield node.lineno, f"{name_of(node)} at a door; use a gate of permissions.py or a selector"


def nobody_is_exempt_from_the_csrf_check(source: Source) -> Found:
    yield from _words(source, r"csrf_exempt")


def html_is_made_in_one_place(source: Source) -> Found:
    yield from _words(source, r"\bmark_safe\b|\bSafeString\b|\bSafeText\b|\.safe\b.*Template")


def tasks_are_made_in_one_place(source: Source) -> Found:
    for call in source.calls():
        if last(call.func) in ("create_task", "ensure_future", "TaskGroup", "run_coroutine_threadsafe"):
            yield call.lineno, f"{name_of(call.func)}; use streaming/tasks.py"


def bytes_from_upstream_are_split_on_bytes(source: Source) -> Found:
    if source.within("streaming/"):
        for node in source.nodes(ast.Attribute):
            assert isinstance(node, ast.Attribute)
            if node.attr in ("aiter_lines", "iter_lines", "splitlines"):
                yield node.lineno, f"{node.attr} takes U+2028 and U+0085 for line ends"


def the_layer_carries_no_content(source: Source) -> Found:
    yield from _words(source, r"\bgroup_send\b|\bget_channel_layer\b")


_STATUS_VERBS = (
    "conversations/services/run_cancel.py",
    "conversations/services/run_close.py",
    "conversations/services/run_lease.py",
    "conversations/services/run_open.py",
    "conversations/services/run_park.py",
    "conversations/services/run_unheld.py",
    "conversations/services/run_decide.py",
)


def a_status_changes_by_compare_and_set(source: Source) -> Found:
    """Runs change their status in the verbs only, and there by ``filter(status…).update(status=…)``, never by save."""
    for call in source.calls():
        if last(call.func) != "update" or not any(word.arg == "status" for word in call.keywords):
            continue
        if not source.within(*_STATUS_VERBS):
            yield call.lineno, "a status is changed outside the verbs of runs"
    for node in source.nodes(ast.Assign, ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == "status" and last(target.value).endswith("run"):
                yield node.lineno, "the status of a run is assigned; use a conditional update"  # type: ignore[attr-defined]


def users_text_is_no_template(source: Source) -> Found:
    for call in source.calls():
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in ("format", "format_map"):
            if not (isinstance(func.value, ast.Constant) and isinstance(func.value.value, str)):
                yield call.lineno, "format on a text that is not written here"
        elif last(func) in ("Template", "from_string"):
            yield call.lineno, "a template made of a value"


_ORM = frozenset(["create", "filter", "exclude", "get", "get_or_create", "update", "update_or_create"])


def requests_are_no_keywords_of_the_orm(source: Source) -> Found:
    for call in source.calls():
        if last(call.func) not in _ORM and last(call.func) not in OWNED:
            continue
        for word in call.keywords:
            if word.arg is None and re.search(r"\b(request|body|data|payload)\b", ast.unparse(word.value)):
                yield call.lineno, f"**{ast.unparse(word.value)} into the database"


def nothing_is_executed(source: Source) -> Found:
    for node in source.nodes(ast.Import, ast.ImportFrom):
        names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]  # type: ignore[attr-defined]
        if {name.partition(".")[0] for name in names} & {"pickle", "marshal", "shelve", "subprocess", "dill"}:
            yield node.lineno, f"imports {', '.join(names)}"  # type: ignore[attr-defined]
    for call in source.calls():
        shell = any(w.arg == "shell" and getattr(w.value, "value", None) is True for w in call.keywords)
        if shell or name_of(call.func) in ("eval", "exec", "os.system", "os.popen", "compile"):
            yield call.lineno, f"{name_of(call.func)} executes text"


def http_is_spoken_by_providers_only(source: Source) -> Found:
    if source.within("streaming/providers/"):
        return
    for node in source.nodes(ast.Import, ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]  # type: ignore[attr-defined]
        for name in names:
            if name in ("urllib.request", "http.client") or name.partition(".")[0] in ("httpx", "aiohttp", "requests"):
                yield node.lineno, f"imports {name}"  # type: ignore[attr-defined]


_OWN_CLOCK = frozenset({"timezone.now", "time.time", "datetime.now", "datetime.utcnow", "now"})


def leases_are_timed_by_the_database(source: Source) -> Found:
    if not source.within("conversations/services/run_", "streaming/"):
        return
    for call in source.calls():
        for word in call.keywords:
            if (word.arg or "").startswith("expires_at") and any(
                name_of(inner.func) in _OWN_CLOCK for inner in ast.walk(word.value) if isinstance(inner, ast.Call)
            ):
                yield call.lineno, "a lease is timed by this process's own clock"


def no_exception_is_swallowed(source: Source) -> Found:
    for node in source.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        kinds = {last(kind) for kind in ast.walk(node.type)} if node.type else {"BaseException"}
        says_nothing = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        if kinds & {"Exception", "BaseException"} and says_nothing:
            yield node.lineno, "an exception is swallowed"
        elif kinds & {"BaseException", "CancelledError"} and not raises:
            yield node.lineno, "a cancellation is swallowed"
    for call in source.calls():
        if last(call.func) == "suppress" and {last(kind) for kind in call.args} & {
            "Exception",
            "BaseException",
            "CancelledError",
        }:
            yield call.lineno, "suppress of everything"


def waits_use_asyncio_timeout(source: Source) -> Found:
    for call in source.calls():
        if last(call.func) == "wait_for" and name_of(call.func).startswith("asyncio"):
            yield call.lineno, "asyncio.wait_for swallows cancellations; use asyncio.timeout"


LAWS: tuple[Law, ...] = (
    owned_rows_come_through_a_gate,
    nobody_is_exempt_from_the_csrf_check,
    html_is_made_in_one_place,
    tasks_are_made_in_one_place,
    bytes_from_upstream_are_split_on_bytes,
    the_layer_carries_no_content,
    a_status_changes_by_compare_and_set,
    users_text_is_no_template,
    requests_are_no_keywords_of_the_orm,
    nothing_is_executed,
    http_is_spoken_by_providers_only,
    leases_are_timed_by_the_database,
    no_exception_is_swallowed,
    waits_use_asyncio_timeout,
)

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("tasks_are_made_in_one_place", "streaming/tasks.py"): "this is the place",
    (
        "the_layer_carries_no_content",
        "streaming/eventlog/doorbell.py",
    ): "sends packed rings, which have room for no text",
    ("nothing_is_executed", "conversations/attachments/sandbox.py"): "files are taken apart by a program of ours",
    ("the_layer_carries_no_content", "streaming/wiring.py"): "hands the layer to the doorbell",
    (
        "owned_rows_come_through_a_gate",
        "streaming/transports/sending.py",
    ): "of runs, and of the token, let through before",
    (
        "a_status_changes_by_compare_and_set",
        "conversations/services/model_pulls.py",
    ): "the verbs of pulls, whose status changes in the same way",
}

# --- what is not Python --------------------------------------------------------------------------------------------

_SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|unsafeHTML|document\.write|createContextualFragment"
    r"|\beval\(|new Function\("
)
_UNESCAPED = re.compile(
    r"\|\s*safe\b|autoescape\s+off|<script(?![^>]*\bsrc=)(?![^>]*application/json)|\son\w+=|\sstyle="
)
RENDERER = "conversations/static/conversations/components/markdown-text.js"


def pages_write_html_in_one_place(source: Source) -> Found:
    """For scripts: no sink of HTML but the renderer's, which sanitises. For templates: nothing unescaped, no inline."""
    pattern = _SINKS if source.path.endswith(".js") else _UNESCAPED
    for number, line in enumerate(source.text.splitlines(), start=1):
        if source.path != RENDERER and (found := pattern.search(line)):
            yield number, found[0].strip()


def python() -> list[Source]:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [_read(path) for path in files if "migrations" not in path.parts]


def pages() -> list[Source]:
    places = ("conversations/static/conversations", "streaming/static", "templates")
    files = [path for place in places for kind in ("*.js", "*.html") for path in sorted((ROOT / place).rglob(kind))]
    return [_read(path) for path in files]


def _read(path: Path) -> Source:
    return Source(str(path.relative_to(ROOT)), path.read_text())


def _words(source: Source, pattern: str) -> Found:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if found := re.search(pattern, line.partition("#")[0]):
            yield number, found[0]
