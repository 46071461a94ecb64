"""What identifies an article, wherever it came in."""

from schemas.chain import digest


def snapshot_id(title: str, text: str) -> str:
    """Return the SHA-256, in hex, of an article's whole content (EM-11)."""
    return digest(f"{title}\n{text}".encode())


def locator(url: str, published_ns: int | None) -> str:
    """Return the SHA-256, in hex, of where and when an article was published."""
    return digest(f"{url}|{'' if published_ns is None else published_ns}".encode())
