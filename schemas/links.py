"""Links: which urls lead to the same page.

Publishers write one address in many ways: with the names of campaigns and sessions behind it, with
and without `www.`, as a twin for phones. `canonical` writes only what the page depends on. What is
dropped is named here; whatever is not stays, for it may be what tells two articles apart.
"""

import re
from functools import lru_cache
from typing import Final

_URL: Final = re.compile(
    r"https?://(?P<host>[^/?#:@\[\]\s]+)(?::(?P<port>[0-9]{0,5}))?(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
"""Read by our own rules: a library's reading of urls changes with its version."""
_TRACKING_PREFIXES: Final = (
    "utm_", "at_", "mtm_", "matomo_", "piwik_", "pk_", "hsa_", "ns_", "fb_", "elqtrack", "guce_",
    "wt.", "aspsessionid",
)  # fmt: skip
"""What the names of parameters begin with that say where a reader came from."""
_TRACKING: Final = frozenset(
    {
        "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ysclid",
        "twclid", "ttclid", "igshid", "igsh", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok",
        "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "hsctatracking", "vero_id",
        "vero_conv", "oly_anon_id", "oly_enc_id", "rb_clickid", "s_cid", "icid", "ncid", "ocid",
        "cmpid", "cmp", "xtor", "ref_", "ref_src", "ref_url", "referrer", "referer", "ftag",
        "ito", "smid", "smtyp", "sr_share", "spm", "scm", "wt_mc", "sc_cid", "sc_campaign",
        "trk", "trkcampaign", "tduid", "elqaid", "elqat", "dm_i", "ef_id", "epik", "soc_src",
        "soc_trk", "guccounter", "_bhlid", "mibextid", "__twitter_impression", "_ga", "_gl",
        "usqp", "amp_js_v", "amp_gsa", "campaign_id", "mbid", "phpsessid", "jsessionid",
        "asp.net_sessionid", "sessionid", "session_id", "cfid", "cftoken", "oscsid", "zenid",
        "_", "nocache", "cachebuster", "cachebust", "rnd", "rand", "random",
    }
)  # fmt: skip
"""Names of parameters for campaigns, clicks, sessions and caches; none changes the page."""
_ORIGINS: Final = frozenset(
    {"from", "src", "source", "via", "ref", "medium", "origin", "feed", "cid"}
)
_FROM: Final = re.compile(
    r"(?:rss|atom|feed|email|newsletter|social|twitter|facebook|linkedin|whatsapp|google)[\w.-]*",
    re.I,
)
"""Of an origin's values, those that say it was a feed or a network; others may be contents."""
_TOKEN: Final = re.compile(r"(?=[^&]*\d)[0-9A-Za-z]{20,}")
"""A value of `sid` that is a session's; a shorter one may be a story's."""
_SESSION: Final = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*|/\(S\([0-9a-z]+\)\)", re.I)
_FRONT: Final = re.compile(r"(?:www\d?|amp)\.")
_INDEX: Final = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?)$", re.I)
_AMP_CACHE: Final = re.compile(
    r"https?://(?:[^/?#]+\.cdn\.ampproject\.org/[cv]|(?:www\.)?google\.[a-z.]+/amp)/(?:s/)?", re.I
)
_AMP_VALUES: Final = ("", "1", "true", "amp")
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")


@lru_cache(maxsize=4_096)
def canonical(url: str) -> str:
    """Return what a page's url depends on, without scheme; only ever compared, never fetched.

    >>> canonical("HTTPS://www.Pub.example:443/a/?utm_source=x&id=5#top")
    '//pub.example/a?id=5'
    >>> canonical("http://amp.pub.example/a/amp/?id=5&amp=1")
    '//pub.example/a?id=5'
    """
    match = _URL.fullmatch(_out_of_cache(url.strip()))
    if match is None:
        return url
    host, path = match["host"].lower().rstrip("."), match["path"] or ""
    query, fragment = match["query"] or "", match["fragment"] or ""
    where = _FRONT.sub("", host, count=1) if host.count(".") > 1 else host
    if match["port"] and int(match["port"]) not in (80, 443):
        where += f":{match['port']}"
    kept = "&".join(sorted(_kept(query)))
    view = f"#{fragment}" if fragment.startswith("!") else ""
    return f"//{where}{_path(path)}" + (f"?{kept}" if kept else "") + view


def _out_of_cache(url: str) -> str:
    """Return the publisher's url of a page that an AMP cache has a copy of."""
    match = _AMP_CACHE.match(url)
    return f"https://{url[match.end() :]}" if match is not None else url


def _path(path: str) -> str:
    """Return a path without a session, the mark of an AMP twin and a slash at its end."""
    path = _ESCAPE.sub(_unescaped, _SESSION.sub("", path))
    path = _INDEX.sub("", path.rstrip("/"))
    for end, rest in (("/amp", ""), (".amp.html", ".html"), (".amp", "")):
        if path.endswith(end) and len(path) > len(end):
            path = path[: -len(end)] + rest
    if path.startswith("/amp/") and path.count("/") > 1:
        path = path[len("/amp") :]
    return path.rstrip("/")


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _kept(query: str) -> list[str]:
    """Return the parameters that the page may depend on, as they are written."""
    return [
        _ESCAPE.sub(_unescaped, pair)
        for pair in re.split("[&;]", query)
        if pair and not _is_tracking(*pair.partition("=")[::2])
    ]


def _is_tracking(name: str, value: str) -> bool:
    name = name.removeprefix("amp;").lower()  # an ampersand that was escaped twice
    if name in _TRACKING or name.startswith(_TRACKING_PREFIXES):
        return True
    if name in _ORIGINS:
        return _FROM.fullmatch(value) is not None
    if name == "sid":
        return _TOKEN.fullmatch(value) is not None
    if name in ("output", "outputtype"):
        return value == "amp"
    return name == "amp" and value.lower() in _AMP_VALUES
