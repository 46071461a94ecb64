"""Feeds broken as publishers break them: one of each kind, and what a reader would make of it."""

from typing import Final, NamedTuple

URL: Final = "https://paper.example/feed"


class Broken(NamedTuple):
    """`titles` and `texts` are those of the items, in order; None where they do not matter."""

    body: str | bytes
    titles: tuple[str, ...]
    texts: tuple[str, ...] | None = None
    links: tuple[str, ...] | None = None


def item(n: int, title: str = "", text: str = "", more: str = "") -> str:
    return (
        f"<item><title>{title or f'Title {n}'}</title><link>https://paper.example/{n}</link>"
        f"<description>{text or f'Text {n}.'}</description>{more}</item>\n"
    )


def rss(inner: str, attributes: str = "") -> str:
    head = "<title>The paper</title><link>https://paper.example/</link>\n"
    return f'<rss version="2.0"{attributes}><channel>{head}{inner}</channel></rss>'


def around(second: str, attributes: str = "") -> str:
    """A feed of three items, whose second is the broken one."""
    return rss(item(1) + second + item(3), attributes)


THREE: Final = ("Title 1", "Title 2", "Title 3")
TEXTS: Final = ("Text 1.", "Text 2.", "Text 3.")
PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
WHOLE: Final = around(item(2))
ATOM: Final = "http://www.w3.org/2005/Atom"


def says(text: str) -> tuple[str, ...]:
    return (TEXTS[0], text, TEXTS[2])


def entry(n: int, more: str = "") -> str:
    return (
        f"<entry><title>Title {n}</title><id>urn:{n}</id>"
        f'<link href="https://paper.example/{n}"/><summary>Text {n}.</summary>{more}</entry>\n'
    )


KINDS: Final[dict[str, Broken]] = {
    # -- characters and references
    "html entity": Broken(around(item(2, text="Two&nbsp;words &ndash; more.")), THREE,
                          says("Two words – more.")),
    "ampersand in a title": Broken(around(item(2, "Salt & vinegar")),
                                   ("Title 1", "Salt & vinegar", "Title 3"), TEXTS),
    "ampersand in a link": Broken(
        around(item(2).replace("paper.example/2", "paper.example/?a=1&b=2")), THREE, TEXTS,
        ("https://paper.example/1", "https://paper.example/?a=1&b=2", "https://paper.example/3")),
    "ampersand within a word": Broken(around(item(2, "AT&T and R&D;")),
                                      ("Title 1", "AT&T and R&D;", "Title 3"), TEXTS),
    "unknown entity": Broken(around(item(2, text="A &foo; b.")), THREE, says("A &foo; b.")),
    "control character": Broken(around(item(2, text="A cr\x0bane\x08 fell.")), THREE,
                                says("A crane fell.")),
    "control character by number": Broken(around(item(2, text="A crane&#11; fell&#x0;.")), THREE,
                                          says("A crane fell.")),
    "emoji as two references": Broken(around(item(2, text="Rain &#55356;&#57127; fell.")), THREE,
                                      says("Rain \U0001f327 fell.")),
    "emoji as two hexadecimal references": Broken(
        around(item(2, text="Rain &#xD83C;&#xDF27; fell.")), THREE, says("Rain \U0001f327 fell.")),
    "half of a surrogate": Broken(around(item(2, text="Rain &#55356; fell.")), THREE,
                                  says("Rain fell.")),
    "reference without a semicolon": Broken(around(item(2, text="It&#8217s rain.")), THREE,
                                            says("It’s rain.")),
    # -- attributes
    "unquoted attribute": Broken(
        around(item(2, more="<enclosure url=https://paper.example/a.mp3 length=1 type=audio>")),
        THREE, TEXTS),
    "attribute without a value": Broken(around(item(2, more="<guid isPermaLink>2</guid>")), THREE,
                                        TEXTS),
    "attribute twice": Broken(
        around(item(2, more='<enclosure url="a.mp3" url="b.mp3" length="1"/>')), THREE, TEXTS),
    "quote missing at the end": Broken(
        around(item(2, more='<enclosure url="a.mp3 length="1" type="audio/mpeg"/>')), THREE, TEXTS),
    "quote missing at the start": Broken(around(item(2, more='<enclosure url=a.mp3" length="1"/>')),
                                         THREE, TEXTS),
    "quote too many": Broken(around(item(2, more='<enclosure url="a.mp3"" length="1"/>')), THREE,
                             TEXTS),
    "no blank between attributes": Broken(around(item(2, more='<enclosure url="a"length="1"/>')),
                                          THREE, TEXTS),
    "ampersand in an attribute": Broken(
        f'<feed xmlns="{ATOM}">{entry(1)}{entry(2).replace("/2", "/?a=1&b=2")}</feed>',
        THREE[:2], TEXTS[:2], ("https://paper.example/1", "https://paper.example/?a=1&b=2")),
    "markup in an attribute": Broken(
        around(item(2, more='<enclosure url="a" title="a <b>bold</b> one" length="1"/>')), THREE,
        TEXTS),
    # -- tags
    "less than in a text": Broken(around(item(2, text="1 < 2, and <3.")), THREE,
                                  says("1 < 2, and <3.")),
    "title left open": Broken(around(item(2).replace("</title>", "")), THREE, TEXTS),
    "description left open": Broken(around(item(2).replace("</description>", "")), THREE, TEXTS),
    "item left open": Broken(around(item(2).replace("</item>", "")), THREE, TEXTS),
    "end tag of another element": Broken(around(item(2).replace("</title>", "</titel>")), THREE,
                                         TEXTS),
    "end tag in capitals": Broken(around(item(2).replace("</title>", "</TITLE>")), THREE, TEXTS),
    "end tag too many": Broken(around(item(2, more="</content>")), THREE, TEXTS),
    "tags crossed": Broken(around(item(2, text="a <b>bold <i>and</b></i> one")), THREE,
                           says("a bold and one")),
    "html that nobody closed": Broken(around(item(2, text="<p>One<br>two<img src=x><p>three")),
                                      THREE, says("One two three")),
    "undeclared prefix": Broken(around(item(2, more="<dc:creator>A & B</dc:creator>")), THREE,
                                TEXTS),
    "undeclared prefix of the text": Broken(
        around(item(2, text="&nbsp;", more="<content:encoded>Long text.</content:encoded>")),
        THREE, says("Long text.")),
    "blank in a namespace": Broken(around(item(2), ' xmlns:itunes=" http://www.itunes.com/x "'),
                                   THREE, TEXTS),
    "prefix of an attribute": Broken(around(item(2, more='<x y:z="1" u="&nbsp;"/>')), THREE, TEXTS),
    # -- sections
    "end of a section too many": Broken(around(item(2, text="Text]]> 2.")), THREE, TEXTS),
    "section within a section": Broken(
        around(item(2, text="<![CDATA[Text <![CDATA[2]]>.]]>")), THREE,
        TEXTS),
    "section left open": Broken(around(item(2, text="<![CDATA[Text 2.")), THREE, TEXTS),
    "section left open before another": Broken(
        around(item(2, text="<![CDATA[Text 2.", more="&nbsp;")
               + item(3).replace("Text 3.", "<![CDATA[Text 3.]]>") + "<x>&nbsp;</x>"),
        (*THREE, "Title 3"), (*TEXTS, "Text 3.")),
    "comment with two hyphens": Broken(around(item(2, more="<!-- a -- b --->")), THREE, TEXTS),
    # -- what is around the feed
    "script behind the end": Broken(WHOLE + "<script>var a = 1 < 2;</script>\n0 queries", THREE,
                                    TEXTS),
    "text behind the end": Broken(WHOLE + "\nDone & done.", THREE, TEXTS),
    "second feed behind the end": Broken(WHOLE + WHOLE, THREE, TEXTS),
    "warning in front": Broken("<br />\n<b>Warning</b>: x() in /a.php\n" + PROLOG + WHOLE, THREE,
                               TEXTS),
    "text in front": Broken("Notice & more\n" + PROLOG + WHOLE, THREE, TEXTS),
    "blank lines in front": Broken("\n\n  \n" + PROLOG + WHOLE, THREE, TEXTS),
    "comment in front of the prolog": Broken("<!-- cached -->" + PROLOG + WHOLE, THREE, TEXTS),
    "two prologs": Broken(PROLOG + PROLOG + WHOLE, THREE, TEXTS),
    "prolog that never ends": Broken('<?xml version="1.0">\n' + WHOLE, THREE, TEXTS),
    "two byte order marks": Broken(b"\xef\xbb\xbf\xef\xbb\xbf" + (PROLOG + WHOLE).encode(), THREE,
                                   TEXTS),
    "prolog of XML 1.1": Broken('<?xml version="1.1"?>' + WHOLE, THREE, TEXTS),
    "cut off within a tag": Broken(WHOLE[: WHOLE.rindex("</descr") + 5], THREE[:2], TEXTS[:2]),
    "cut off within a section": Broken(
        rss(item(1) + item(2) + item(3, text="<![CDATA[Te"))[: -len("</channel></rss>") - 20],
        THREE[:2], TEXTS[:2]),
    "cut off behind an item": Broken(WHOLE[: WHOLE.rindex("</item>") + 7], THREE, TEXTS),
    "end of the channel missing": Broken(WHOLE.replace("</channel>", ""), THREE, TEXTS),
    "items behind the channel": Broken(
        rss(item(1)).replace("</rss>", item(2, text="Text&nbsp;2.") + "</rss>"), THREE[:2],
        TEXTS[:2]),
    # -- document types
    "entities declared": Broken('<!DOCTYPE rss [<!ENTITY nbsp "&#160;"> <!ENTITY paper "The P">]>'
                                + around(item(2, text="Two&nbsp;words of &paper;.")), THREE,
                                says("Two words of The P.")),
    "Netscape's document type": Broken(
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"\n'
        ' "http://my.netscape.com/publish/formats/rss-0.91.dtd">' + WHOLE, THREE, TEXTS),
    "Latin 1 for XHTML": Broken(
        '<!DOCTYPE rdf:RDF [<!ENTITY % HTMLlat1 PUBLIC "-//W3C//ENTITIES Latin 1 for XHTML//EN"'
        ' "http://www.w3.org/TR/xhtml1/DTD/xhtml-lat1.ent"> %HTMLlat1;]>'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        f' xmlns="http://purl.org/rss/1.0/"><channel/>{item(1)}{item(2, text="Caf&eacute;.")}'
        "</rdf:RDF>", THREE[:2], ("Text 1.", "Café.")),
    # -- other formats
    "Atom with an entity": Broken(
        f'<feed xmlns="{ATOM}">{entry(1)}{entry(2).replace("Text 2.", "Text&nbsp;2.")}</feed>',
        THREE[:2], TEXTS[:2]),
    "Atom link left open": Broken(
        f'<feed xmlns="{ATOM}">' + entry(1) + entry(2).replace('/2"/>', '/2">') + "</feed>",
        THREE[:2], TEXTS[:2], ("https://paper.example/1", "https://paper.example/2")),
}  # fmt: skip
