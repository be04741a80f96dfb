"""The Content-Security-Policy of a page: its own scripts and styles, by their hashes, and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable


def content_security_policy(
    scripts: Iterable[str] = (),
    styles: Iterable[str] = (),
    images: str = "data: blob:",
    has_style_attributes: bool = False,
) -> str:
    """The content of the `meta` element, which must come before what it allows.

    scripts, styles: what is between the tags of each element, to the byte; images: their sources
    has_style_attributes: whether the page has style="..." in its HTML (setting element.style needs no permission)
    """
    style = f"style-src {hashes(styles)}"
    if has_style_attributes:
        style = f"style-src 'unsafe-inline'; style-src-elem {hashes(styles)}"
    return (
        f"default-src 'none'; script-src {hashes(scripts)}; {style}; img-src {images}; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def hashes(texts: Iterable[str]) -> str:
    """The sources that allow these inline elements."""
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    found = dict.fromkeys(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return " ".join(found) or "'none'"
