"""Links: from what a page or feed writes to a url that may be fetched."""

import httpx

from schemas.limits import MAX_URL_CHARS
from schemas.sources import url_problem


def absolute(base: str, link: str) -> str:
    """Return `link` as an absolute url without its fragment, or "" if it cannot be followed.

    Relative links are resolved against `base`. Host names become ASCII. Only http and https
    can be followed: not `javascript:`, not `data:`.
    """
    link = link.strip()
    if not link or len(link) > MAX_URL_CHARS:
        return ""
    try:
        url = str(httpx.URL(base).join(link).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError, TypeError):
        return ""
    return url if url_problem(url) is None else ""
