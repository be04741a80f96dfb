"""The Content-Security-Policy of pages."""

from kelly.report.policy import content_security_policy

HASH = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"  # of nothing


def test_what_is_not_named_is_forbidden() -> None:
    policy = content_security_policy()
    assert policy == (
        "default-src 'none'; script-src 'none'; style-src 'none'; img-src data: blob:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in content_security_policy(["alert(1)"], ["p {}"])


def test_scripts_and_styles_are_allowed_by_their_hashes() -> None:
    policy = content_security_policy([""], ["", ""], has_style_attributes=True)
    assert f"script-src {HASH}; style-src 'unsafe-inline'; style-src-elem {HASH};" in policy
