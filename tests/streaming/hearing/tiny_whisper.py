"""Makes a Whisper model of three megabytes that "says" a given sentence, whatever it hears, without torch.

The layers add nothing; each position's encoding is a direction of its own, and the output layer answers that
direction with the token that stands there in the sentence. All files are of the kind and layout that real models
have (ctranslate2's binary, tokenizer.json, vocabulary), so that the real loading and decoding code runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH = 64
POSITIONS = 448
PROMPT = 3
"""<|startoftranscript|>, the language, <|transcribe|>"""
LANGUAGES = [code for code in _LANGUAGE_CODES if code != "yue"]
"""In the order of their tokens; Cantonese came with large-v3."""


def make_tiny_whisper(
    folder: Path, says: str, *, language: str = "en", multilingual: bool = True, silent: bool = False
) -> Path:
    """A model that says ``says`` and takes every voice for ``language``.

    Args:
        silent: the model is certain that nobody speaks, and not certain of what it says.
    """
    # Whole words are tokens: Whisper never says the tokens that " -" begins with, which would be the space itself.
    split = pre_tokenizers.ByteLevel(add_prefix_space=True).pre_tokenize_str(says)
    words = [word for word, _ in split]
    tokens = _tokens(multilingual, words)
    ids = {token: number for number, token in enumerate(tokens)}
    prompt = PROMPT if multilingual else 1
    assert prompt + len(words) + 3 < WIDTH, "too long a sentence for so few directions"
    sentence = [ids["<|0.00|>"], *(ids[word] for word in words), ids["<|2.00|>"], ids["<|endoftext|>"]]
    answers = {prompt - 1 + offset: [token] for offset, token in enumerate(sentence)}
    answers.setdefault(0, [])
    if multilingual:
        answers[0].append(ids[f"<|{language}|>"])
    if silent:
        answers[0] = [ids["<|nospeech|>"]]
    spec = _spec(len(tokens), answers, strength=0.05 if silent else 1.0)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in LANGUAGES]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="int8")
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}))
    return folder


def _tokens(multilingual: bool, words: list[str]) -> list[str]:
    """Whisper's vocabulary: the special tokens under their own numbers, the 256 bytes and
    the words, and nothing in between."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = letters + sorted(set(words) - set(letters))
    tokens += [f"<|unused{number}|>" for number in range((50_257 if multilingual else 50_256) - len(tokens))]
    if multilingual:
        tokens[-1] = ""  # real ones have it, and ctranslate2 knows them by it
    tokens += ["<|endoftext|>", "<|startoftranscript|>"]
    tokens += [f"<|{code}|>" for code in LANGUAGES]
    tokens += [
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    return tokens + [f"<|{0.02 * step:.2f}|>" for step in range(1501)]


def _spec(vocabulary: int, answers: dict[int, list[int]], strength: float) -> WhisperSpec:
    random = np.random.default_rng(0)
    spec = WhisperSpec(1, 2, 1, 2)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    def norm(layer: object) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), zeros(WIDTH)  # type: ignore[attr-defined]

    def linear(layer: object, rows: int, columns: int = WIDTH) -> None:
        layer.weight, layer.bias = zeros(rows, columns), zeros(rows)  # type: ignore[attr-defined]

    def attention(layer: object, *rows: int) -> None:
        norm(layer.layer_norm)  # type: ignore[attr-defined]
        for part, count in zip(layer.linear, rows, strict=True):  # type: ignore[attr-defined]
            linear(part, count)

    def feed_forward(layer: object) -> None:
        norm(layer.layer_norm)  # type: ignore[attr-defined]
        linear(layer.linear_0, 2 * WIDTH)  # type: ignore[attr-defined]
        linear(layer.linear_1, WIDTH, 2 * WIDTH)  # type: ignore[attr-defined]

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = zeros(WIDTH, 80, 3), zeros(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = zeros(WIDTH, WIDTH, 3), zeros(WIDTH)
    encoder.position_encodings.encodings = zeros(1500, WIDTH)
    norm(encoder.layer_norm)
    attention(encoder.layer[0].self_attention, 3 * WIDTH, WIDTH)
    feed_forward(encoder.layer[0].ffn)

    # Orthogonal, and without a mean, which layer normalisation would take away.
    square = random.standard_normal((WIDTH, WIDTH - 1))
    basis, _ = np.linalg.qr(square - square.mean(axis=0))
    directions = np.zeros((POSITIONS, WIDTH), np.float32)
    directions[: WIDTH - 1] = basis.T
    decoder.embeddings.weight = (1e-3 * random.standard_normal((vocabulary, WIDTH))).astype(np.float32)
    decoder.position_encodings.encodings = 10 * directions
    norm(decoder.layer_norm)
    attention(decoder.layer[0].self_attention, 3 * WIDTH, WIDTH)
    attention(decoder.layer[0].attention, WIDTH, 2 * WIDTH, WIDTH)
    feed_forward(decoder.layer[0].ffn)
    projection = zeros(vocabulary, WIDTH)
    for position, tokens in answers.items():
        for token in tokens:
            projection[token] += 3 * (1.0 if position == 0 else strength) * directions[position]
    decoder.projection.weight = projection
    return spec
