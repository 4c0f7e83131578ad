"""Given a conversation of any content, when it is audited, then the page shows it inertly."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import turnlog
from turnlog import (
    AgentUttered,
    BotFailed,
    BotUttered,
    ConversationRestarted,
    MessageEdited,
    MessageRedacted,
    SessionEnded,
    SessionStarted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
    Versions,
)
from turnlog.audit.conversation_audit import ConversationAudit
from turnlog.audit.fault import Fault
from turnlog.audit.protocol import protocol
from turnlog.audit.provenance import Provenance, provenance
from turnlog.audit.verify import Verification
from turnlog.cli import main
from turnlog.reports.audit import report
from turnlog.reports.text import cell, file_name

HOSTILE = [
    "<script>alert(1)</script>", "</td></table><script src=//x></script>",
    "<img src=x onerror=a()>",
    "<svg onload=alert(1)>", "\"><script>1</script>", "' onmouseover='alert(1)",
    "</style><script>1",
    "</title><script>1</script>", "<!--<script>-->1</script>",
    "<iframe srcdoc='<script>1</script>'>",
    "javascript:alert(1)", "<a href='javascript:1'>x</a>", "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0>", "<base href=//x>", "&lt;script&gt;", "<plaintext>",
    "<scr\0ipt>alert(1)</scr\0ipt>", "{{7*7}}${7*7}<%= 7 %>", "]]><script>1</script>",
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1", "=cmd|'/c calc'!A0", " =1+1", "\n@x",
    "\x1b[2J\x1b]0;owned\x07", "\x00\x01\x02\x7f\x9b", "a\u202egnp.exe", "\u2066hidden\u2069",
    "\u200b\u2060\ufeff", "\u2028\u2029", "../../etc/passwd", "/etc/passwd",
    "..\\..\\x", "CON", ".",
    "<math><mtext></table><mglyph><style><img src=x onerror=a()>", "<details open ontoggle=a()>",
    "<object data=//x>", "<embed src=//x>", "<link rel=stylesheet href=//x>",
    "url(//x)", "expression(alert(1))", "\"; } * { display: none } /*", "\\22 ; } @import '//x';",
    "<form action=//x><input autofocus onfocus=a()>",
]  # fmt: skip
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def audited(log: turnlog.Turnlog, id: str, *faults: Fault) -> ConversationAudit:
    found = Verification(not faults, 1, 1, list(faults))
    return ConversationAudit(id, protocol(list(log.history(id).recorded())), found)


def made(by: str = "an auditor") -> Provenance:
    return Provenance("ab" * 32, 1, 7, "cd" * 32, 1_767_690_000.0, by, "1.0")


@pytest.fixture
def log():
    with turnlog.open("memory:", clock=lambda: 1_767_690_000.0) as opened:
        yield opened


def test_there_are_fifty_hostile_texts():
    assert len(HOSTILE) == len(set(HOSTILE)) == 50


def test_hostile_text_is_inert_in_a_report(log: turnlog.Turnlog):
    for text in HOSTILE:
        data = {text: text}
        log.record(
            text, UserUttered(text, data), SlotSet(text, text), BotUttered(text, data),
            ToolCalled(text, data), ToolReturned(data), BotFailed(detail=text), AgentUttered(text),
            SessionEnded(text), SessionStarted(text), MessageEdited(1, text),
            SlotSet("x", 1, actor=text, versions=Versions(text, text)),
        )  # fmt: skip
    page = report(
        [audited(log, text, Fault(text, 1, text)) for text in HOSTILE], made("".join(HOSTILE))
    )
    parsed = Page(page)
    allowed = (
        "html head meta title style body header h1 h2 h3 section table thead tbody tr th td div "
        "span p b s"
    )
    assert parsed.tags <= {*allowed.split(), "ul", "li", "br"}
    assert parsed.attributes <= {"lang", "class", "charset", "http-equiv", "content", "name"}
    assert not any(character in page.decode() for character in BIDI)
    assert not any(ord(c) < 32 and c != "\n" for c in page.decode())
    for text in HOSTILE[:10]:
        assert text.replace("\0", "\\x00") in parsed.text


def test_hostile_texts_print_no_control_character(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as opened:
        for text in HOSTILE:
            opened.record(text, UserUttered(text), SlotSet(text, text))
    for text in HOSTILE:
        for command in ("log", "show"):
            with pytest.raises(SystemExit):
                main([command, "--db", url, "--", text])
            out = capsysbinary.readouterr().out.decode()
            assert out
            assert not any(ord(c) < 32 and c not in "\n\t" for c in out)
            assert not any(c in out for c in [*BIDI, "\x7f", "\x9b", "\u2028"])


def test_pages_in_a_folder_are_named_by_digests_and_the_index_contains_no_formula(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as opened:
        for text in HOSTILE:
            opened.record(text, UserUttered(text))
    folder = tmp_path / "out" / "pages"
    folder.mkdir(parents=True)
    with pytest.raises(SystemExit) as exited:
        main(["audit", "--db", url, "--out", str(folder), "--", *HOSTILE])
    assert exited.value.code in (0, None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pages"]
    names = {path.name for path in folder.iterdir()}
    assert names == {*(file_name(text, ".html") for text in HOSTILE), "index.csv"}
    rows = list(csv.reader(io.StringIO((folder / "index.csv").read_text(), newline="")))
    assert len(rows) == 51
    assert not any(value[:1] in "=+-@\t\r\n" for row in rows for value in row)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str):
    assert cell(text)[0] not in "=+-@\t\r\n"
    assert not any(ord(character) < 32 for character in cell(text))


def test_a_report_marks_rewound_edited_and_redacted_messages(log: turnlog.Turnlog):
    log.record("anna", SessionStarted(), UserUttered("my number is 4711"), MessageRedacted(2))
    log.record("anna", UserUttered("for too"), MessageEdited(4, "for two"), SlotSet("people", 2))
    log.record("anna", UserUttered("no"), UserUtteranceReverted(), ConversationRestarted())
    page = report([audited(log, "anna", Fault("anna", 2, "its row was changed"))], made())
    text = Page(page).text
    assert b"4711" not in page
    assert b"<s>for too</s>" in page
    for words in (
        "redacted by event 3", "for two (edited by event 5)", "taken back by event 8",
        "back to event", "the conversation began again", "a session began",
        "event 2: its row was changed", "faults: 1",
    ):  # fmt: skip
        assert words in text, words


def test_a_protocol_has_a_line_for_every_event_with_its_changes(log: turnlog.Turnlog):
    log.record("a", UserUttered("x"), SlotSet("s", 1))
    log.record("a", SlotSet("s", 2), SlotSet("t", 1), UserUtteranceReverted())
    lines = protocol(list(log.history("a").recorded()))
    assert [(line.number, line.turn, line.version) for line in lines] == [
        (1, 1, 1), (2, 1, 1), (3, 1, 2), (4, 1, 2), (5, 1, 2),
    ]  # fmt: skip
    assert [dict(line.slots) for line in lines] == [
        {}, {"s": (None, 1)}, {"s": (1, 2)}, {"t": (None, 1)}, {"s": (2, None), "t": (1, None)},
    ]  # fmt: skip
    assert [line.taken_back for line in lines] == [5, 5, 5, 5, None]


def test_an_unreadable_conversation_is_still_audited(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
):
    import sqlite3
    from contextlib import closing

    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as opened:
        opened.record("a", UserUttered("x"))
        opened.record("a", UserUttered("y"))
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("UPDATE rows_t1 SET parts = x'00' WHERE version = 2")
        connection.commit()
    with pytest.raises(SystemExit) as exited:
        main(["audit", "--db", url, "a", "--out", str(tmp_path / "page.html")])
    assert exited.value.code == 1
    assert "cannot be read" in (tmp_path / "page.html").read_text()


def test_a_report_says_where_it_comes_from(log: turnlog.Turnlog):
    log.record("anna", UserUttered("hello"))
    comes = provenance(log, by="Eva", zone=ZoneInfo("Europe/Berlin"))
    text = report([audited(log, "anna")], comes).decode()
    assert (comes.first, comes.last) == (1, 1)
    assert comes.log == log.digest(0).hex()
    assert comes.head == log.digest(1).hex()
    margins = text[text.index("@bottom-left { content") : text.index("</style>")]
    assert comes.log in margins
    assert comes.head in margins
    assert "positions 1 to 1" in margins
    assert "by Eva" in margins
    assert "2026-01-06 09:00:00Z \\28 10:00:00 CET\\29 " in margins
    assert "kept elsewhere" in text


def test_an_events_own_time_and_the_logs_clock_are_separate(log: turnlog.Turnlog):
    log.record("anna", UserUttered("long ago", timestamp=1_700_000_000.0, message_id="wamid.1"))
    parsed = Page(report([audited(log, "anna")], made()))
    own, recorded = "2023-11-14 22:13:20Z", "2026-01-06 09:00:00Z"
    assert f"{own} by its own account; recorded {recorded}" in parsed.text
    assert "own time" in parsed.text
    assert "wamid.1" in parsed.text


def test_an_altered_event_is_marked_in_place(log: turnlog.Turnlog):
    log.record("anna", UserUttered("one"), BotUttered("two"))
    page = report([audited(log, "anna", Fault("anna", 2, "its row was changed"))], made()).decode()
    message = page[page.index('class="message bot') :]
    assert message.startswith('class="message bot altered"')
    assert "altered: its row was changed" in message
    assert '<tr class="altered">' in page


def test_redacted_and_rewound_are_distinguished(log: turnlog.Turnlog):
    log.record("anna", UserUttered("one"), BotUttered("two"), UserUttered("three"))
    log.record("anna", MessageRedacted(1, reason="asked"), UserUtteranceReverted())
    page = report([audited(log, "anna")], made()).decode()
    assert 'class="message user redacted"' in page
    assert 'class="message user gone"' in page


@pytest.mark.parametrize("name", ["anna.html", "anna.pdf"])
def test_the_file_has_the_format_of_its_extension(tmp_path: Path, name: str):
    pypdf = pytest.importorskip("pypdf")
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as opened:
        opened.record("anna", UserUttered("hello Zoë"), *(BotUttered(text) for text in HOSTILE))
        head = opened.digest(1).hex()
    with pytest.raises(SystemExit) as exited:
        main(["audit", "--db", url, "anna", "--out", str(tmp_path / name)])
    written = (tmp_path / name).read_bytes()
    if name.endswith(".html"):
        assert exited.value.code in (0, None)
        assert written.startswith(b"<!doctype html>")
        return
    if exited.value.code == 2:
        pytest.skip("a report as PDF needs Pango")
    document = pypdf.PdfReader(io.BytesIO(written))
    texts = [page.extract_text() for page in document.pages]
    assert len(texts) > 2
    assert "hello Zoë" in "".join(texts)
    assert all(
        head in text and f"page {n} of {len(texts)}" in text for n, text in enumerate(texts, 1)
    )
    live = {"/JS", "/JavaScript", "/AA", "/OpenAction", "/Annots", "/EmbeddedFiles", "/Launch"}
    assert not live & {key for page in document.pages for key in page}
    assert not live & set(document.trailer["/Root"])


def test_an_unknown_zone_is_named(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]):
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as opened:
        opened.record("anna", UserUttered("hello"))
    for zone in ("Europe/Atlantis", "../x", ""):
        with pytest.raises(SystemExit) as exited:
            main(["audit", "--db", url, "anna", "--out", str(tmp_path / "a.html"), "--zone", zone])
        assert exited.value.code == 2
        assert "time zone" in capsysbinary.readouterr().err.decode()


def test_readers_and_recipients_are_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TURNLOG_ACTOR", "Ann Berg")
    url, out = f"sqlite:///{tmp_path / 'log.db'}", tmp_path / "page.html"
    with turnlog.open(url) as opened:
        opened.record("anna", UserUttered("hello"), BotUttered("hi"))
    for command in (
        ["export", "--format", "openai", "--to", "Partner Ltd", "--out", str(tmp_path / "x.jsonl")],
        ["access", "--record", "on"],
        ["show", "anna"],
        ["audit", "anna", "--out", str(out)],
    ):
        with pytest.raises(SystemExit) as exited:
            main([*command, "--db", url])
        assert exited.value.code in (0, None)
    text = Page(out.read_bytes()).text
    assert "Partner Ltd" in text.partition("Who received it")[2]
    looked = text.partition("Who read it")[2]
    assert "Ann Berg" in looked
    assert "turnlog show" in looked
