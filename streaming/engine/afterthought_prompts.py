"""What a model is asked when an answer is done: for the title of the conversation, and for questions that could come
next. Small, because somebody's machine pays for it. Pure.
"""

from msgspec.structs import replace

from streaming.protocol.parameters import NONE, Parameters
from streaming.providers.base import ChatRequest, ModelInfo, PromptMessage

# Characters of what was said; a title is about its subject, and that stands at the beginning.
QUESTION, ANSWER = 1200, 800
# A good title has about ten tokens, three questions have sixty. The rest is room for a model that thinks all the same.
TITLE_TOKENS, FOLLOW_UPS_TOKENS = 100, 250

_TITLE = (
    "You name conversations. Write one title for the conversation below: two to six words, in the language of the"
    " question, plain text on one line. No quotation marks, no Markdown, no emoji, no full stop, nothing else."
)
_FOLLOW_UPS = (
    "Below are a question and its answer. Write three short questions that the person who asked might ask next, each"
    " different, in the language of the question, at most twelve words. Reply with a JSON list of three texts and"
    " nothing else."
)


def title_request(*, model: ModelInfo, question: str, answer: str, parameters: Parameters = NONE) -> ChatRequest:
    return _request(model, _TITLE, question, answer, replace(_loaded_alike(parameters), max_tokens=TITLE_TOKENS))


def follow_ups_request(*, model: ModelInfo, question: str, answer: str, parameters: Parameters = NONE) -> ChatRequest:
    return _request(
        model, _FOLLOW_UPS, question, answer, replace(_loaded_alike(parameters), max_tokens=FOLLOW_UPS_TOKENS)
    )


def _request(model: ModelInfo, order: str, question: str, answer: str, parameters: Parameters) -> ChatRequest:
    asked, answered = _beginning(question, QUESTION), _beginning(answer, ANSWER)
    said = f"<question>\n{asked}\n</question>\n<answer>\n{answered}\n</answer>"
    return ChatRequest(
        model=model.name,
        messages=(PromptMessage(role="system", content=order), PromptMessage(role="user", content=said)),
        think=None if model.cannot_think else False,
        parameters=parameters,
    )


def _loaded_alike(parameters: Parameters) -> Parameters:
    """With another length of context Ollama loads the model anew, and without ``keep_alive`` it resets the time for
    which the model stays. Whatever else was asked for is about answers.
    """
    return Parameters(context_length=parameters.context_length, keep_alive=parameters.keep_alive)


def _beginning(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
