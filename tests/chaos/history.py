"""What a campaign leaves behind to be judged: what readers saw and senders were told, and in the end logs and rows."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """One envelope as it came; ``at`` is by the monotonic clock of the campaign."""

    at: float
    text: str


@dataclass(slots=True)
class Connection:
    """What one connection brought of one run. ``after`` is the cursor with which it was opened."""

    transport: str
    node: str
    after: int
    opened: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """One client that follows one run, over any number of connections. ``finished``: it says that it has the end."""

    reader: str
    run_id: str
    connections: list[Connection] = field(default_factory=list)
    finished: bool = False


@dataclass(slots=True)
class Send:
    """One question under one idempotency key, posted until it was answered; ``runs`` are the runs it was told of."""

    key: str
    content: str
    expected: str | None  # what the model says where it comes to its end; None: not known
    began: float = 0.0
    posts: int = 0
    runs: list[str] = field(default_factory=list)
    model: str = ""
    waits: bool = False  # behind what is being answered in its thread


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that no client should get here; ``status`` is 0 on a socket."""

    at: float
    node: str
    status: int
    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Row:
    """A run as the database has it in the end."""

    run_id: str
    question: str
    status: str
    head: int
    attempt: int
    content: str
    message_status: str


@dataclass(slots=True)
class Evidence:
    """``logs[run][node]`` are the texts that a node answers when it is asked for everything."""

    readings: list[Reading] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    logs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
