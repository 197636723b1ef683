#!/usr/bin/env python3
"""Writes docs/configuration.md from the settings themselves; a test holds the page to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from server.config import Section, Settings, known_keys

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """\
# Configuration

Everything has a default; `parley serve` needs no configuration at all. To change something, write a `parley.toml` in the
folder where you start Parley (or name a file with `PARLEY_CONFIG`), or set a variable. A variable wins over the file, an
option of the command over both. Unknown keys and variables are errors, so a typing mistake is not silence.

```toml
# parley.toml
[chat]
base_url = "http://127.0.0.1:11434/v1"   # any OpenAI-compatible endpoint, here Ollama
model = "qwen3:8b"

[speaking]
language = "en"
```

The same by variable: `PARLEY_CHAT_BASE_URL=http://127.0.0.1:11434/v1 PARLEY_CHAT_MODEL=qwen3:8b parley serve`.
Lists are written as JSON in variables: `PARLEY_SERVER_ALLOWED_ORIGINS='["https://shop.example"]'`.
`parley doctor` says which engines the configuration leads to and what stands in a visitor's way.

This page is written by `scripts/configuration_docs.py`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    section = ""
    for name, (key, default, text) in known_keys().items():
        parent = key.split(".")[0] if "." in key else ""
        if parent != section or not parts[1:]:
            section = parent
            parts.append(_heading(section))
        parts.append(
            f"| `{key.split('.')[-1]}` | `PARLEY_{name.upper()}` | {_shown(key, default)} | {text.replace('|', '/').replace('``', '`')} |\n"
        )
    return "".join(parts)


def _heading(section: str) -> str:
    title, doc = ("At the top of the file", "")
    if section:
        annotation = Settings.model_fields[section].annotation
        assert isinstance(annotation, type) and issubclass(annotation, Section)
        title, doc = f"`[{section}]`", f"{annotation.__doc__}\n\n"
    return f"\n## {title}\n\n{doc}| key | variable | default | what it does |\n|---|---|---|---|\n"


def _shown(key: str, default: Any) -> str:
    if key == "data_dir":
        return "the user's data folder"
    if default is None:
        return "unset"
    if default is PydanticUndefined:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default == ():
        return "`[]`"
    return f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
