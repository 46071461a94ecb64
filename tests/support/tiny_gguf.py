"""A llama of half a megabyte, made here: real for llama.cpp, and a fool.

Its weights are random, from a fixed seed, but for one thing: whatever it has read, it would
like to say `favourite` next. A grammar then decides what it says. One that favours `"` ends
every text as soon as it may; one that favours `a` never does.
"""

from pathlib import Path
from typing import Final

import gguf
import numpy as np

LAYERS: Final = 2
WIDTH: Final = 64
HEADS: Final = 4
INNER: Final = 128
CONTEXT: Final = 2_048
SEED: Final = 20_260

UNKNOWN, BEGIN, END = 0, 1, 2
_WORDS: Final = (" the", " market", " news", "article", "the", "Sco", "re", "in", "er", "\n")


def vocabulary() -> list[str]:
    """Return the pieces: three control tokens, every byte, printable ASCII, a few words."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = ["\u2581", *letters, *(word.replace(" ", "\u2581") for word in _WORDS)]
    return ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]


def write_tiny_llama(path: Path, favourite: str = '"') -> Path:
    """Write the model to `path` and return it. The same bytes every time."""
    pieces = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(pieces))
    _add_tokenizer(writer, pieces)
    for name, tensor in _tensors(len(pieces), pieces.index(favourite)).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, pieces: list[str]) -> None:
    kinds = gguf.TokenType
    types = [
        kinds.UNKNOWN
        if position == UNKNOWN
        else kinds.CONTROL
        if position in (BEGIN, END)
        else kinds.BYTE
        if position < END + 1 + 256
        else kinds.NORMAL
        for position in range(len(pieces))
    ]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([float(-position) for position in range(len(pieces))])
    writer.add_token_types(types)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)


def _tensors(
    words: int, favourite: int
) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]:
    draw = np.random.default_rng(SEED)

    def weights(*shape: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        return (draw.standard_normal(shape) * 0.05).astype(np.float32)

    tensors = {"token_embd.weight": weights(words, WIDTH), "output.weight": weights(words, WIDTH)}
    # Every word carries the same large first component, to which only one output answers.
    tensors["token_embd.weight"][:, 0] = 5.0
    tensors["output.weight"][favourite, 0] = 5.0
    tensors["output_norm.weight"] = np.ones(WIDTH, np.float32)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{block}{name}.weight"] = weights(WIDTH, WIDTH)
        for name, shape in (
            ("ffn_gate", (INNER, WIDTH)),
            ("ffn_up", (INNER, WIDTH)),
            ("ffn_down", (WIDTH, INNER)),
        ):
            tensors[f"{block}{name}.weight"] = weights(*shape)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"{block}{name}.weight"] = np.ones(WIDTH, np.float32)
    return tensors
