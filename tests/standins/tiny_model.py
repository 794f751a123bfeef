"""A language model of some fifty thousand random weights, as a file that llama.cpp loads (GGUF, version 3).

It has a letter or a byte a token, says the same nonsense each time it is asked without chance, and never ends by
itself.
"""

import random
import struct
from math import prod
from pathlib import Path
from typing import Any

# Kinds of values, by their numbers in the file.
U32, I32, F32, TEXT, LIST = 4, 5, 6, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # kinds of tokens
ALIGNED = 32
WIDTH, LAYERS, HEADS = 32, 4, 2

SPECIAL = ["<unk>", "<s>", "</s>"]
END = SPECIAL.index("</s>")
LETTERS = ["\u2581", *"abcdefghijklmnopqrstuvwxyz"]  # the first is a space
TOKENS = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS]
KINDS = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(LETTERS)]
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def write_model(path: Path, *, context: int) -> None:
    """``context`` is how many tokens it says it was trained with."""
    weights = _weights()
    facts = _facts(context)
    names, data = bytearray(), bytearray()
    for name, (shape, values) in weights.items():
        sizes = b"".join(struct.pack("<Q", size) for size in shape)
        names += _text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", 0, len(data))  # 0: 32-bit
        data += _aligned(struct.pack(f"<{len(values)}f", *values))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(facts))
    told = b"".join(_text(key) + struct.pack("<I", kind) + _value(kind, value) for key, kind, value in facts)
    path.write_bytes(_aligned(head + told + names) + data)


def _facts(context: int) -> list[tuple[str, int, Any]]:
    return [
        ("general.architecture", TEXT, "llama"),
        ("llama.context_length", U32, context),
        ("llama.embedding_length", U32, WIDTH),
        ("llama.block_count", U32, LAYERS),
        ("llama.feed_forward_length", U32, WIDTH),
        ("llama.attention.head_count", U32, HEADS),
        ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("llama.rope.dimension_count", U32, WIDTH // HEADS),
        ("llama.vocab_size", U32, len(TOKENS)),
        ("tokenizer.ggml.model", TEXT, "llama"),
        ("tokenizer.ggml.tokens", LIST, (TEXT, TOKENS)),
        ("tokenizer.ggml.scores", LIST, (F32, [0.0] * len(TOKENS))),
        ("tokenizer.ggml.token_type", LIST, (I32, KINDS)),
        ("tokenizer.ggml.unknown_token_id", U32, 0),
        ("tokenizer.ggml.bos_token_id", U32, 1),
        ("tokenizer.ggml.eos_token_id", U32, END),
        ("tokenizer.chat_template", TEXT, TEMPLATE),
    ]


def _weights() -> dict[str, tuple[tuple[int, ...], list[float]]]:
    chance = random.Random(7)
    square, row = (WIDTH, WIDTH), (WIDTH,)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (WIDTH, len(TOKENS)), "output_norm": row}
    for layer in range(LAYERS):
        parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        shapes |= {f"blk.{layer}.{part}": square for part in parts}
        shapes |= {f"blk.{layer}.{part}": row for part in ("attn_norm", "ffn_norm")}
    shapes["output"] = (WIDTH, len(TOKENS))
    weights = {
        f"{name}.weight": (shape, [1.0 if shape == row else chance.gauss(0, 0.3) for _ in range(prod(shape))])
        for name, shape in shapes.items()
    }
    # Its end is never among the forty likeliest words, of which it chooses one.
    weights["output.weight"][1][END * WIDTH : (END + 1) * WIDTH] = [0.0] * WIDTH
    return weights


def _value(kind: int, value: Any) -> bytes:
    if kind == TEXT:
        return _text(value)
    if kind == LIST:
        of, values = value
        return struct.pack("<IQ", of, len(values)) + b"".join(_value(of, each) for each in values)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f"}[kind], value)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNED)
