"""What is asked of a model by what it can do: whatever it cannot is left out, and what was wished for is told. Pure.

What nobody knows of a model is asked for as it was wished: its server will say so itself where it cannot.
"""

from collections.abc import Collection, Sequence

import msgspec

from streaming.protocol.notices import Notice, parameters_left_out, thinking_left_out, tools_left_out
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ModelInfo


class Adapted(msgspec.Struct, frozen=True, kw_only=True):
    """``tools`` None offers all there are. ``window`` is how many tokens the model is to read at once, None unknown."""

    think: bool | str | None
    tools: Sequence[str] | None
    window: int | None
    notices: tuple[Notice, ...] = ()


def adapted(
    *, parameters: Parameters, tools: Sequence[str] | None, there: Collection[str], model: ModelInfo
) -> Adapted:
    """``tools`` are those that were asked for by name, of those that are ``there``; None where any will do, and a model
    without them is no news.
    """
    think, about_thinking = _thinking(parameters.thinking, model)
    # A model that cannot call tools answers an offer of them with an error.
    calls = "tools" in model.capabilities
    missing = [name for name in tools or () if not calls or name not in there]
    about = (
        tools_left_out(missing, able=calls) if missing else None,
        about_thinking,
        _about_parameters(parameters, model),
    )
    return Adapted(
        think=think,
        tools=tools if calls else (),
        window=min(filter(None, (model.context_length, parameters.context_length)), default=None),
        notices=tuple(filter(None, about)),
    )


def takes_images(model: ModelInfo) -> bool:
    """False only for what is known not to see."""
    return not model.cannot_see


def _thinking(wish: bool | str | None, model: ModelInfo) -> tuple[bool | str | None, Notice | None]:
    """What to tell the model of its thinking, and what has to be said about that."""
    if wish is None or (wish is False and model.cannot_think):
        return None, None
    if model.cannot_think:
        return _other("This model does not think before it answers.", wish, None)
    levels = model.thinking_levels
    if isinstance(wish, str):
        if levels is None or wish in levels:
            return wish, None
        if not levels:
            return _other("This model thinks at one level only; it was asked to think.", wish, True)
        return levels[-1], None  # the strongest word that it knows
    if model.thinking_switch:
        return wish, None
    if "thinking" not in model.capabilities or not levels:
        return _other("This model server cannot be told whether to think, only how much.", wish, None)
    if wish:
        return None, None  # it does anyway
    return _other("This model always thinks; it was asked to think as little as it can.", wish, levels[0])


def _other(sentence: str, asked: bool | str, given: bool | str | None) -> tuple[bool | str | None, Notice]:
    return given, thinking_left_out(sentence, asked=asked, given=given)


def _about_parameters(parameters: Parameters, model: ModelInfo) -> Notice | None:
    names = [name for name in model.no_word_for if getattr(parameters, name) is not None]
    wish, window = parameters.context_length, model.context_length
    too_long = wish is not None and window is not None and wish > window
    if not names and not too_long:
        return None
    return parameters_left_out([*names, *(["context_length"] if too_long else [])], window=window if too_long else None)
