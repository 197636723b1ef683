from __future__ import annotations

from streaming.hearing.scripted import ScriptedTranscriber
from tests.streaming.hearing.conftest import noise


async def test_each_segment_gets_the_next_text_and_keeps_it() -> None:
    transcriber = ScriptedTranscriber(["one", "two"])
    await transcriber.warm_up()
    texts = []
    for _ in range(3):
        stream = transcriber.open(language="de")
        stream.feed(noise(0.1))
        first = await stream.transcribe()
        assert first.language == "de"
        assert (await stream.transcribe()).text == first.text
        texts.append(first.text)
        await stream.close()
    assert texts == ["one", "two", "two"]
    await transcriber.close()
