"""What one run may at most do. Whatever can grow has its bound here, with the reason for the number."""

import msgspec

WIDEST = 12  # bytes: what ASCII-escaped JSON takes at most for one character


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    max_tool_steps: int = 8  # a model that is not done after eight calls is going round in circles
    max_attempts: int = 5  # processes that died over a run: it is no accident, and the next one would die too
    max_repeats: int = 3  # the third identical call of a run tells the model nothing new
    max_arguments: int = 64 * 1024  # bytes of JSON, twice as many ASCII-escaped: a call is a request, not a file
    max_output: int = 64 * 1024  # characters of one tool's output, kept and given back to the model
    max_output_bytes: int = 100 * 1024  # of the same as ASCII-escaped JSON
    # Bytes of one answer and its thinking as ASCII-escaped JSON. A snapshot has the thinking twice, in message and in
    # step, and beside it eight calls' arguments and outputs: this way it stays under the 4 MiB that the protocol
    # promises, if need be without the question's text. Some 250,000 tokens of English.
    max_answer: int = 1_000_000
    max_event: int = 256 * 1024  # bytes of a delta's JSON, as the protocol promises to clients
    max_calls_shown: int = 64  # of one turn, when more are refused: the rest of a thousand would say the same
    approval_expiry: float = 24 * 3600.0  # seconds until a question to a person has gone unanswered for too long
    tool_timeout: float = 30.0  # seconds, for tools that name no deadline of their own

    @property
    def max_piece(self) -> int:
        """Characters that surely fit one event."""
        return max(1, (self.max_event - 1024) // WIDEST)
