"""Feeds that are broken as real ones are: one small feed for each kind of breakage.

The kinds are those that the bug trackers and tests of feed readers know (feedparser, gofeed,
miniflux, SimplePie, FreshRSS), and the counts that Google Reader once published. Every feed has
three items in a harbour paper; the second is broken, or the whole document is.
"""

from typing import Final, NamedTuple


class Breakage(NamedTuple):
    """A broken feed, and what a reader of it must find: how many items, and a text in one."""

    kind: str
    body: bytes
    finds: str = "Ferries wait"
    items: int = 3
    content_type: str = ""


_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_START: Final = '<rss version="2.0"><channel><title>Quay Post</title>'
_END: Final = "</channel></rss>"


def _item(number: int, title: str = "", text: str = "Plain.", more: str = "") -> str:
    return (
        f"<item><title>{title or f'Quay {number}'}</title><link>https://quay.example/{number}</link>"
        f"<guid>quay-{number}</guid><description>{text}</description>{more}</item>\n"
    )


_FIRST: Final = _item(1, text="Ferries wait off the pier.")
_LAST: Final = _item(3, text="Tugs rest.")


def _feed(
    second: str = _item(2), *, head: str = _HEAD, start: str = _START, end: str = _END
) -> bytes:
    return f"{head}{start}{_FIRST}{second}{_LAST}{end}".encode("utf-8", "surrogatepass")


def _text(text: str) -> bytes:
    return _feed(_item(2, text=text))


_OCTETS: Final = "Les pêcheurs du très vieux port réclament là-bas une criée à l’été."

BREAKAGES: Final = (
    # -- characters that XML does not have
    Breakage("name of HTML for a character", _text("Old&nbsp;pier caf&eacute;"), "pier café"),
    Breakage("naked ampersand in a text", _feed(_item(2, title="Bait & tackle")), "Bait & tackle"),
    Breakage("ampersand of a link", _feed().replace(b"example/2<", b"example/2?a=1&b=2<")),
    Breakage("ampersand in an attribute", _feed(_item(2, more='<enclosure url="x?a&b"/>'))),
    Breakage("less-than sign in a text", _text("Depth &amp; draught 3 < 4 metres"), "3 < 4"),
    Breakage("control character", _text("Crane\x0bdown"), "Crane"),
    Breakage("null octet", _text("Crane\x00down"), "Crane"),
    Breakage("reference to a control character", _text("Crane&#x1F;down"), "Crane"),
    Breakage("reference to half a character", _text("Gull &#55357;&#56841; lands"), "lands"),
    Breakage("reference beyond all characters", _text("Gull &#x110000; lands"), "lands"),
    Breakage("no character", _text("Gull \uffff lands"), "lands"),
    Breakage("end of a section that never began", _text("Gull ]]> lands"), "lands"),
    # -- tags
    Breakage("attribute without quotes", _feed(_item(2, more="<enclosure url=x.mp3 length=1/>"))),
    Breakage("attribute without a value", _feed(_item(2, more='<enclosure url="x" hidden/>'))),
    Breakage("attribute given twice", _feed(_item(2, more='<enclosure url="x" url="y"/>'))),
    Breakage("attribute in curly quotes", _feed(start=_START.replace('"', "”"))),
    Breakage("tags of HTML that need no end", _text("Gull<br>lands<hr>here"), "lands"),
    Breakage("tags that cross", _text("Gull <b>lands <i>here</b></i>"), "lands"),
    Breakage("end in another case", _text("Gull lands").replace(b"</guid>", b"</GUID>", 2)),
    Breakage("end without a beginning", _feed(_item(2, more="</div>"))),
    Breakage("prefix that nobody declared", _feed(_item(2, more="<pier:berth>4</pier:berth>"))),
    Breakage("comment with two hyphens", _feed(_item(2, more="<!-- a -- b -->"))),
    # -- before the beginning, and after the end
    Breakage("warning of a server before it", b"<br /><b>Warning</b>: fopen() at 7\n" + _feed()),
    Breakage("blanks before it", b"\n  \n" + _feed()),
    Breakage("byte order mark given twice", b"\xef\xbb\xbf\xef\xbb\xbf" + _feed()),
    Breakage("script behind it", _feed(end=_END + "<script>count()</script>\n17 queries")),
    Breakage("second document behind it", _feed() + _feed()),
    Breakage("cut off in a tag", _feed().partition(b"id><description>Tugs")[0], items=2),
    Breakage(
        "cut off in a section",
        _feed(end="").replace(b"Tugs rest.", b"<![CDATA[Tugs").partition(b"Tugs")[0],
        items=2,
    ),
    # -- charsets
    Breakage(
        "Latin-1 that says UTF-8",
        _text(_OCTETS.replace("’", "'")).decode().encode("latin-1"),
        "vieux port réclament",
    ),
    Breakage(
        "UTF-8 under a header of Latin-1",
        _text(_OCTETS),
        "criée à l’été",
        content_type="text/xml; charset=ISO-8859-1",
    ),
    Breakage(
        "charset given twice", _text(_OCTETS), "criée", content_type="text/xml; charset=utf-8,utf-8"
    ),
    Breakage("charset that is none", _feed(head='<?xml version="1.0" encoding="utf8mb3"?>')),
    # -- types
    Breakage("type of a download", _feed(), content_type="application/octet-stream"),
    Breakage("document type with a name for a blank", _feed(
        _item(2, text="Old&nbsp;pier"),
        head='<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY nbsp "&#160;">]>',
    ), "Old pier"),
    Breakage("document type of RSS 0.91", _feed(
        head='<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91'
        '//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">',
        start=_START.replace("2.0", "0.91"),
    )),
)  # fmt: skip
