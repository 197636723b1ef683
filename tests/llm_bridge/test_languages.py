from __future__ import annotations

import pytest

from llm_bridge.languages import language_of, primary


@pytest.mark.parametrize(
    ("text", "default", "language"),
    [
        ("Hello", "en", "en"),
        ("Hello", "en-GB", "en-GB"),
        ("Bonjour", "fr", "fr"),
        ("Hello", "cmn", "en"),
        ("你好", "en", "cmn"),
        ("你好", "zh-CN", "zh-CN"),
        ("你好", "yue", "yue"),
        ("我用 OpenAI", "en", "cmn"),
        ("The word 你 means you", "en", "en"),
        ("こんにちは世界", "en", "ja"),
        ("こんにちは", "ja-JP", "ja-JP"),
        ("안녕하세요", "en", "ko"),
        ("안녕하세요", "ko", "ko"),
        ("123", "cmn", "cmn"),
        ("𠀀𠀁", "en", "cmn"),
        ("", "de", "de"),
        ("Привет", "en", "en"),
    ],
)
def test_language_by_script(text: str, default: str, language: str) -> None:
    assert language_of(text, default) == language


@pytest.mark.parametrize(("tag", "expected"), [("zh-Hans-CN", "cmn"), ("cmn", "cmn"), ("en_GB", "en"), ("PT-br", "pt")])
def test_primary(tag: str, expected: str) -> None:
    assert primary(tag) == expected
