// The objects of the wire protocol as the page reads them; docs/protocol.md describes them.

declare namespace Wire {
  type RunStatus =
    | "queued" | "in_progress" | "requires_action" | "cancelling"
    | "completed" | "incomplete" | "failed" | "cancelled" | "expired";

  interface Failure {
    code: string;
    message: string;
    retryable?: boolean;
    retry_after_ms?: number | null;
    details?: Record<string, unknown> | null;
    log_id?: string | null;
  }

  interface Usage {
    prompt_tokens: number | null;
    completion_tokens: number | null;
  }

  interface Timing {
    queue_ms: number | null;
    first_token_ms: number | null;
    duration_ms: number | null;
    tokens_per_second: number | null;
    chunks: number | null;
  }

  /** What a waiting send will ask when its turn comes. */
  interface Request {
    content: string;
    attachments?: Attachment[];
    model: string;
  }

  interface Run {
    id: string;
    thread_id: string;
    status: RunStatus;
    waiting?: boolean;
    request?: Request | null;
    model: string;
    provider?: string;
    attempt?: number;
    /** 0, or 0 to 3 where several models answer side by side. */
    lane?: number;
    user_message_id?: string | null;
    assistant_message_id?: string | null;
    created_at?: string | null;
    started_at?: string | null;
    finished_at?: string | null;
    finish_reason?: string | null;
    /** Of an incomplete one. */
    reason?: string | null;
    error?: Failure | null;
    usage?: Usage | null;
    timing?: Timing | null;
    notices?: Notice[];
    structured?: Structured | null;
  }

  /** What became of an answer that was to be JSON; `valid` is null until it has ended. */
  interface Structured {
    valid: boolean | null;
    repaired: boolean;
    error?: Failure | null;
  }

  /** What a person should know of how a run was asked. */
  interface Notice {
    code: string;
    message: string;
    details?: Record<string, unknown> | null;
  }

  interface Step {
    id: string;
    index: number;
    step: "reasoning" | "tool_calls";
    status: "in_progress" | "completed" | "failed" | "cancelled";
    title?: string;
    name?: string | null;
    arguments?: Record<string, unknown> | null;
    output?: string | null;
    output_cut?: boolean;
    details?: string | null;
    error?: Failure | null;
    started_at?: string | null;
    finished_at?: string | null;
    duration_ms?: number | null;
  }

  /** What a run asks a person: may this tool run with exactly these arguments? */
  interface Approval {
    approval_id: string;
    step_id: string;
    tool: string;
    arguments: Record<string, unknown>;
    expires_at: string;
  }

  type Decision = "approve" | "deny";

  interface Attachment {
    id: string;
    name: string;
    type: string;
    size: number;
    kind: "image" | "pdf" | "text";
    width?: number | null;
    height?: number | null;
    pages?: number | null;
  }

  type Part = { text: [number, number] } | { step_id: string };

  interface Message {
    id: string;
    thread_id: string;
    parent_id?: string | null;
    role: "user" | "assistant";
    status: "in_progress" | "completed" | "incomplete";
    content: string | null;
    parts?: Part[];
    thinking?: string;
    model?: string;
    run_id?: string | null;
    attachments?: Attachment[];
    created_at?: string | null;
    finished_at?: string | null;
    /** In the list of a thread's messages only. */
    follow_ups?: string[];
    /** The same: the ids of all that stand below its parent, the oldest first. */
    versions?: string[];
  }

  interface Thread {
    id: string;
    title: string;
    title_by?: string;
    model: string;
    system_prompt?: string;
    parameters?: Record<string, unknown>;
    pinned?: boolean;
    archived?: boolean;
    head?: string | null;
    active_runs: string[];
    waiting_runs: string[];
    created_at: string;
    updated_at: string;
  }

  interface ThreadPage {
    results: Thread[];
    next: string | null;
    feed_cursor: number;
  }

  /** An event of the user's feed. */
  interface FeedEnvelope {
    event: string;
    feed: number;
    data: any;
  }

  interface Model {
    name: string;
    provider: string;
    model: string;
    capabilities: string[];
    context_length?: number | null;
    size_bytes?: number | null;
    parameter_size?: string | null;
    loaded?: boolean | null;
    demonstration?: boolean;
    alias_of?: string | null;
  }

  interface ModelServer {
    name: string;
    kind?: string;
    ok: boolean;
    message?: string | null;
    models?: string[];
  }

  interface Models {
    results: Model[];
    default: string | null;
    servers: ModelServer[];
  }

  type PullStatus = "queued" | "pulling" | "done" | "failed" | "cancelled";

  interface Pull {
    id: string;
    server: string;
    model: string;
    status: PullStatus;
    message: string;
    completed: number;
    total: number;
    cancelling: boolean;
    by: string;
    cancelled_by: string;
    error: Failure | null;
    created_at: string;
    finished_at: string | null;
  }

  interface MessagePage {
    results: Message[];
    beside: Message[];
    steps: Step[];
    runs: Run[];
    waiting: Run[];
    next: string | null;
  }

  interface RunView {
    run: Run;
    head: number;
    messages: Message[];
    steps: Step[];
    approvals?: Approval[];
    events?: Envelope[] | null;
  }

  interface Envelope {
    event: string;
    id?: number;
    data: any;
  }

  /** Where the person is signed in. */
  interface BrowserSession {
    id: number;
    created_at: string;
    ip: string;
    user_agent: string;
    current: boolean;
  }

  interface Token {
    id: string;
    name: string;
    scopes?: string[];
    prefix?: string;
    created_at?: string | null;
    last_used_at?: string | null;
    expires_at?: string | null;
    token?: string;
  }

  interface AccessRecord {
    id: string;
    thread_id: string | null;
    thread_title: string;
    staff: string;
    reason: string;
    at: string;
  }
}
