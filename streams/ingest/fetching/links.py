"""Links: what a page or feed writes as one, as a url that may be fetched."""

import httpx

from schemas.limits import MAX_URL_CHARS
from schemas.sources import url_problem


def absolute(base: str, link: str) -> str:
    """Return `link` as an absolute url without its fragment, empty if it is no link to follow.

    Relative links are taken from `base`; names are brought into their ASCII form.
    `javascript:`, `data:` and whatever else is not http(s) are none.
    """
    link = link.strip()
    if not link or len(link) > MAX_URL_CHARS:
        return ""
    try:
        url = str(httpx.URL(base).join(link).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError, TypeError):
        return ""
    return url if url_problem(url) is None else ""
