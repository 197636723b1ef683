"""What is read aloud of what is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_bridge.mapped_text import MappedText
from llm_bridge.speakable import speakable

ENGLISH = [
    ("Plain words stay.", "Plain words stay."),
    ("**Bold**, _it_, *em*, ~~no~~ and `code`.", "Bold, it, em, no and code."),
    ("A snake_case name, 2*3 and 4 * 5.", "A snake case name, 2 times 3 and 4 times 5."),
    ("See [the page](https://a.example/b?c=1).", "See the page."),
    ("![a cat](cat.png) sits", "a cat sits"),
    ("As shown [1] and [^2].", "As shown and."),
    ("Go to https://www.example.com/docs, now.", "Go to example dot com slash docs, now."),
    ("Go to <https://example.com/a/b/c?d=1>.", "Go to example dot com."),
    ("Open http://127.0.0.1:8080/.", "Open 127.0.0.1 port 8080."),
    ("Visit example.org or a.example.", "Visit example dot org or a.example."),
    ("Mail jane_doe@mail.example.com!", "Mail jane doe at mail dot example dot com!"),
    ("# Title", "Title"),
    ("> quoted\n", "quoted"),
    ("- [x] done\n- next one", "done, next one"),
    ("1. First\n2) Second", "1, First, 2, Second"),
    ("3.5 is a number", "3.5 is a number"),
    ("| Name | Age |\n|------|:---:|\n| Ann | 5 |", "Name, Age, Ann, 5"),
    ("---", ""),
    ("```python\nprint('x')\n```", "The code is on the screen."),
    ("Before ```\nx", "Before The code is on the screen."),
    ("Tom &amp; Jerry &#39;live&#39; &nbsp;here", "Tom and Jerry 'live' here"),
    ("one<br>two <b>three</b><!-- no -->", "one, two three"),
    ("Great 😀👍🏽 👨‍👩‍👧 🇩🇪!", "Great!"),
    ("It costs $3.50.", "It costs 3 dollars and 50 cents."),
    (
        "$1, $1.01, $0.99, €20, £3.05, ¥8",
        "1 dollar, 1 dollar and 1 cent, 99 cents, 20 euros, 3 pounds and 5 pence, 8 yuan",
    ),
    ("$5 million and $2.5k", "5 million dollars and 2.5 thousand dollars"),
    ("¥3.50", "3.50 yuan"),
    ("About 25% of 1,234,567", "About 25 percent of 1234567"),
    ("20°C, -3 °F, 90°, 1°C", "20 degrees Celsius, minus 3 degrees Fahrenheit, 90 degrees, 1 degree Celsius"),
    ("9:05, 10:00, 14:30, 13:00, 0:00", "9 oh 5, 10 o'clock, 14 30, 13 hundred, 0 o'clock"),
    ("at 3 p.m. sharp, at 10:30 am", "at 3 P M sharp, at 10 30 A M"),
    ("See you at 3 p.m.", "See you at 3 P M."),
    ("5 km, 1 km, 2GB, 1 km/h, 30 ms", "5 kilometers, 1 kilometer, 2 gigabytes, 1 kilometer an hour, 30 milliseconds"),
    ("pages 9–17 and 3-5 of 2024-05-06", "pages 9 to 17 and 3 to 5 of 2024-05-06"),
    ("e.g. this, i.e. that, etc.", "for example, this, that is, that, et cetera."),
    ("No. 5 vs. #7, approx. ~9", "number 5 versus number 7, approximately about 9"),
    ("A & B + C = D", "A and B plus C equals D"),
    ("if 5 > 3 and x<y", "if 5 greater than 3 and x less than y"),
    ("C++ and C#", "C plus plus and C sharp"),
    ("wait — no — yes", "wait, no, yes"),
    ("@anna says #hello ^_^", "at anna says hello"),
    ("PARLEY_CHAT_MODEL", "PARLEY CHAT MODEL"),
    ("...", ""),
    ("  \n ", ""),
]

CHINESE = [
    ("你好，**世界**！", "你好，世界！"),
    ("价格是$3.50，打七折，25%。", "价格是3.5美元，打七折，百分之25。"),
    ("¥25、€30、$5 million", "25元、30欧元、5百万美元"),
    ("温度20℃，零下-3°C，98°F，90°", "温度摄氏20度，零下零下摄氏3度，华氏98度，90度"),
    ("9:30开门，10:00，3:05 pm", "9点30分开门，10点，下午3点零5分"),
    ("9–17点，3-5天，5km，#3，~10", "9到17点，3到5天，5公里，第3，大约10"),
    ("A & B，1+1=2，5 > 3，x<y", "A和B，1加1等于2，5大于3，x小于y"),
    ("见 https://a.com:80/docs。", "见 a点com端口80斜杠docs。"),
    ("写信到 a@b.com", "写信到 a at b点com"),
    ("```\nx\n```", "代码请看屏幕。"),
    ("他说——好", "他说，好"),
    ("@小明", "小明"),
]


@pytest.mark.parametrize(("written", "spoken"), ENGLISH)
def test_english(written: str, spoken: str) -> None:
    assert speakable(written, "en-US").text == spoken


@pytest.mark.parametrize(("written", "spoken"), CHINESE)
def test_chinese(written: str, spoken: str) -> None:
    assert speakable(written, "zh-CN").text == spoken


def test_other_languages_keep_their_symbols() -> None:
    assert speakable("20 % & **fett** 😀 https://a.de", "de").text == "20 % & fett a dot de"


def test_the_way_back() -> None:
    written = "It **costs** $3.50, ok?"
    mapped = speakable(written, "en")
    assert mapped.text == "It costs 3 dollars and 50 cents, ok?"
    assert written[mapped.sources[mapped.text.index("costs")] :].startswith("costs")
    assert written[mapped.sources[mapped.text.index("cents")] :].startswith("$3.50")
    assert written[mapped.sources[mapped.text.index("ok")] :].startswith("ok")


def test_mapped_text_keeps_stretches() -> None:
    mapped = MappedText.of("a(bc)d").keep(re.compile(r"\((\w+)\)"))
    assert (mapped.text, mapped.sources) == ("abcd", (0, 2, 3, 5))
    assert mapped.replace(re.compile("x"), "y") is mapped
    ends = mapped.rewrite(re.compile("$"), lambda match: ("!", (0, 0)))
    assert ends.text == "abcd!"


PARTS = st.sampled_from([*"ab 1.,*_`#|-[]()<>&;$%°:/@~^=+\n你好。，😀\u200d", "http://a.b/c", "```", "3.50", "12:30"])


@given(st.lists(PARTS, max_size=60), st.sampled_from(["en", "cmn", "de"]))
def test_the_way_back_never_turns(parts: list[str], language: str) -> None:
    text = "".join(parts)
    mapped = speakable(text, language)
    assert len(mapped.sources) == len(mapped.text)
    assert list(mapped.sources) == sorted(mapped.sources)
    assert all(0 <= source < len(text) for source in mapped.sources)
    assert mapped.text == "" or any(map(str.isalnum, mapped.text))
