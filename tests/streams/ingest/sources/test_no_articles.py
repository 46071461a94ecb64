"""Pages that are no articles, and articles about such pages."""

import pytest

from streams.ingest.sources import html
from streams.ingest.sources.model import Document, Item
from tests.streams.ingest.fetching.web import fails

URL = "https://a.example/story"
STORY = "The port of Turku opened its second quay on Monday, two years after the first one. "


def page(title: str, text: str, head: str = "") -> Item:
    body = f"<html><head><title>{title}</title>{head}</head><body><main><p>{text}</p></main></body>"
    return html.read_page(Document(url=URL, body=body.encode()))


BLOCKED = "This site uses a security service to protect itself. Reference 18.2f6c1f17.1719651600."


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Just a moment...", BLOCKED),
        ("Attention Required! | Cloudflare", BLOCKED),
        ("Access Denied", BLOCKED),
        ("The Paper - Access denied", BLOCKED),
        ("403 Forbidden", BLOCKED),
        ("Are you a robot?", BLOCKED),
        ("Robot or human?", BLOCKED),
        ("Pardon Our Interruption", BLOCKED),
        ("Sind Sie ein Mensch?", BLOCKED),
        ("The Paper", f"Checking your browser before you go on to the paper. {BLOCKED}"),
        ("The Paper", f"Please verify you are a human to go on. {BLOCKED}"),
        ("The Paper", f"Our systems have detected unusual traffic from your network. {BLOCKED}"),
        ("The Paper", f"You don't have permission to access this page on our server. {BLOCKED}"),
        ("The Paper", "Sorry, this content is not available in your region, for reasons of law."),
        # lost
        ("404", "Perhaps one of our other stories is of interest to you, such as the latest."),
        ("404 - Page not found | The Paper", STORY * 90),
        ("Page Not Found – The Paper", STORY * 3),
        ("The Paper | Seite nicht gefunden", STORY * 3),
        ("Page introuvable - Le Journal", STORY * 3),
        ("The Paper", "Oops! The page you are looking for is gone. Try our front page or search."),
        ("The Paper", "We couldn't find that page, whatever we tried. Please use our search."),
        ("Die Zeitung", "Diese Seite existiert nicht mehr. Vielleicht hilft die Startseite."),
        # consents
        ("Before you continue to The Paper", STORY),
        (
            "The Paper",
            "We and our 812 partners store cookies on your device, with your consent, for "
            "personalised advertising. You can withdraw consent in our privacy settings. Our "
            "partners process data without asking where they may. Accept all cookies or manage "
            f"preferences. {STORY * 2}",
        ),
        (
            "Die Zeitung",
            "Mit Ihrer Einwilligung verarbeiten wir und unsere Partner Daten, etwa aus Cookies, "
            "für Werbung und andere Zwecke. Ihre Einwilligung gilt bis auf Widerruf, mehr in "
            "unserer Datenschutzerklärung. Unsere Partner dürfen Cookies setzen.",
        ),
    ],
)  # fmt: skip
def test_a_page_that_says_why_there_is_none_is_no_article(title: str, text: str) -> None:
    with fails("no_article"):
        page(title, text)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (
            "The Paper",
            "You need to enable JavaScript to run this app. Please do so, then come back.",
        ),
        ("The Paper", "JavaScript is disabled in your browser, and our page does not work so."),
        (
            "The Paper",
            "Bitte JavaScript aktivieren, um unsere Zeitung in voller Schönheit zu lesen.",
        ),
    ],
)
def test_what_a_script_may_mend_is_for_the_browser(title: str, text: str) -> None:
    with fails("no_text"):
        page(title, text)


DECLARED = '<meta property="og:type" content="article">'


@pytest.mark.parametrize(
    ("title", "text", "head"),
    [
        ("Access denied: how a bank lost its customers", STORY, ""),
        ("Page not found, and other poems", STORY, ""),
        ("404 Media sues the ministry", STORY, ""),
        ("Just a moment: the queue at the quay", STORY, ""),
        ("Forbidden City reopens", STORY, ""),
        ("Why you are asked to accept all cookies", f"Courts look at cookies. {STORY * 4}", ""),
        ("Captcha", f"Everyone has to solve this captcha now. {STORY * 20}", DECLARED),
        ("Access denied", STORY * 70, ""),
        ("Quay opens", f"Users had to verify you are human pages. {STORY * 4}", DECLARED),
        ("Browsers", f"Without JavaScript, says the ministry, its page works. {STORY * 12}", ""),
        ("Brief", f"{STORY} Please enable JavaScript to view comments.", DECLARED),
    ],
)
def test_an_article_about_such_pages_is_one(title: str, text: str, head: str) -> None:
    assert page(title, text, head).text.startswith(text.strip()[:20])
