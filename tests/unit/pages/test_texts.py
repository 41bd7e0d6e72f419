"""Texts, names, times and colours of the pages."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from muniment.server.pages import assets, names
from muniment.server.pages.pictures import picture_size
from muniment.server.pages.signing import local_path
from muniment.server.pages.texts import Texts, chosen


def test_what_is_put_into_a_text_is_escaped() -> None:
    assert Texts("en")("Sign in at {realm}", realm="<b>&") == "Sign in at &lt;b&gt;&amp;"
    assert Texts("en").counted(1, "one {x}|{n} {x}", x="<") == "one &lt;"


def test_numbers_and_sizes_are_written_as_the_language_does() -> None:
    assert Texts("en").number(1234567.5, 1) == "1,234,567.5"
    assert Texts("de").number(1234567.5, 1) == "1.234.567,5"
    assert [Texts("en").bytes(size) for size in (0, 999, 1000, 12_340, 123_400, 3_930_000_000)] == [
        "0\u00a0B",
        "999\u00a0B",
        "1.00\u00a0kB",
        "12.3\u00a0kB",
        "123\u00a0kB",
        "3.93\u00a0GB",
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT;q=0.8, en;q=0.9", "en"),
        ("fr, de;q=0.1", "de"),
        ("de;q=0, fr", "en"),
        ("de;q=x", "en"),
        (",;,q=,", "en"),
    ],
)
def test_the_language_is_the_one_of_ours_that_is_liked_best(asked: str, found: str) -> None:
    assert chosen(asked) == found


def test_a_name_shows_what_would_hide_in_it() -> None:
    shown = str(names.name("a\n\u202eb\u200b<i>"))
    assert shown.startswith('<bdi dir="ltr">a<span class="ctl" title="U+000A">LF</span>')
    assert ">RLO<" in shown
    assert ">ZWSP<" in shown
    assert "&lt;i&gt;" in shown
    assert "\u202e" not in shown
    assert str(names.title("\u06cc\u200c\u06a9")) == "<bdi>\u06cc\u200c\u06a9</bdi>"
    assert len(names.title("x" * 10_000)) < 700


def test_what_is_to_be_typed_stands_as_code_also_in_a_text_of_the_catalogue() -> None:
    said = names.commands(Texts("en")("`muniment audit` reads <everything>"))
    assert str(said) == "<code>muniment audit</code> reads &lt;everything&gt;"
    assert str(names.commands("`a` & b")) == "<code>a</code> &amp; b"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("archive@example.org", '<a href="mailto:archive@example.org">archive@example.org</a>'),
        ("Ann <ann@x.org>", 'Ann <a href="mailto:ann@x.org">ann@x.org</a>'),
        ("room 3, by day", "room 3, by day"),
        ('"><script>x@y', '&#34;&gt;&lt;script&gt; <a href="mailto:x@y">x@y</a>'),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_whom_to_ask_is_text_in_which_a_mail_address_is_a_link(said: str, shown: str) -> None:
    assert str(names.contact(said)) == shown


def test_a_time_has_its_utc_and_nonsense_is_text() -> None:
    assert 'datetime="2026-11-28T10:00:00Z"' in names.moment("2026-11-28T12:00:00+02:00")
    assert 'datetime="1970-01-01T00:00:00Z"' in names.moment(0.0)
    assert names.moment("<soon>") == "&lt;soon&gt;"
    assert names.moment(None) == ""


@pytest.mark.parametrize(
    ("beginning", "size"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x00\0\0\x00\x80\x08", (256, 128)),
        (b"GIF89a\x02\x00\x03\x00", (2, 3)),
        (b"\xff\xd8\xff\xe0\x00\x04\0\0\xff\xc0\x00\x11\x08\x00\x10\x00\x20\x03", (32, 16)),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x09\0\0\x04\0\0", (10, 5)),
        (b"\xff\xd8\xff\xff\xff", (0, 0)),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0", (0, 0)),
        (b"<svg", (0, 0)),
        (b"", (0, 0)),
    ],
)
def test_a_picture_says_its_size_in_its_first_bytes(beginning: bytes, size: tuple[int, int]) -> None:
    assert picture_size(beginning) == size


@pytest.mark.parametrize("bad", ["https://x/", "//x", "/\\x", "x", "", "/sign-out", "/a\nb", "/" + "a" * 3000])
def test_only_a_page_of_ours_is_gone_on_to(bad: str) -> None:
    assert local_path(bad) == "/"
    assert local_path("/find?q=a%2Fb") == "/find?q=a%2Fb"


# --- colours: WCAG 2.2 §1.4.3 and §1.4.11, over the style sheet itself

_GROUNDS = ("paper", "surface", "sunken")


def _tokens() -> dict[str, dict[str, str]]:
    style = assets.files()["muniment.css"].decode("utf-8")
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    found = re.compile(r"--([a-z0-9-]+): (#[0-9A-F]{6})")
    return {"light": dict(found.findall(light)), "dark": dict(found.findall(dark.partition("/* --- the ground")[0]))}


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_every_ground(scheme: str) -> None:
    colours = _tokens()[scheme]
    inks = ("ink", "ink-2", "ink-3", "accent", "ok", "warn", "bad", "unknown")
    low = {
        (ink, ground): round(_contrast(colours[ink], colours[ground]), 2)
        for ink, ground in product(inks, _GROUNDS)
        if _contrast(colours[ink], colours[ground]) < 4.5
    }
    assert low == {}
    for state in ("ok", "warn", "bad", "unknown", "accent"):
        assert _contrast(colours[state], colours[f"{state}-soft"]) >= 4.5, state
        assert _contrast(colours["ink"], colours[f"{state}-soft"]) >= 4.5, state
    assert _contrast(colours["on-accent"], colours["accent"]) >= 4.5
    for edge, ground in product(("edge", "focus"), _GROUNDS):
        assert _contrast(colours[edge], colours[ground]) >= 3, (edge, ground)


def test_no_colour_stands_outside_the_tokens() -> None:
    style = assets.files()["muniment.css"].decode("utf-8")
    rest = style.partition("/* --- the ground")[2]
    assert re.findall(r"#[0-9A-Fa-f]{3,8}\b|rgb\(|hsl\(", rest) == []


def test_templates_hold_no_inline_style_or_handler_and_mark_nothing_as_safe() -> None:
    folder = Path(assets.__file__).parent / "templates"
    templates = sorted(folder.glob("*.html"))
    assert len(templates) > 8
    for each in templates:
        text = each.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son[a-z]+=|\|\s*safe|autoescape|<style|javascript:", text), each.name
        for script in re.findall(r"<script[^>]*>([^<]*)", text):
            assert script == "", each.name
