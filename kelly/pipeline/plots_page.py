"""A self-contained page for `dvc plots show` and `diff`: DVC's own loads Vega from a server, this one includes it.

DVC takes the page from `plots.html_template` of its configuration. Vega comes from vl-convert and is not in this
repository: the page is made on each machine and named in that machine's configuration (.dvc/config.local). A clone in
which it was never made shows DVC's page.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from kelly.report.policy import content_security_policy
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError

PAGE, CONFIG = "plots_page.html", "config.local"
SECTION, OPTION = "plots", "html_template"
VEGA_LITE = "6.4"  # the version that vl-convert includes

# DVC escapes nothing that it puts into a page. Its plots are the text of a `plaintext` element, which nothing in them
# can end; the script reads them there.
HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="POLICY">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots: dvc plots</title>
<style>"""
CSS = """
:root { color-scheme: light dark; --ink: #222222; --paper: #ffffff; --line: #d9dce1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15181c; --line: #3d434b; } }
html { background: var(--paper); color: var(--ink); font: 100%/1.5 system-ui, "DejaVu Sans", sans-serif; }
body { margin: 1rem; display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
h1 { font-size: 1.3rem; flex-basis: 100%; margin: 0; }
plaintext { display: none; }
/* Charts in a row, images of all revisions side by side. */
body > div { max-width: 100%; overflow-x: auto; }
.images { flex-basis: 100%; border: 1px solid var(--line); text-align: center; }
figure { display: inline-block; vertical-align: top; width: 92%; margin: 2px; border: 1px dotted var(--line); }
@media (min-width: 50rem) { figure { width: calc(50% - 1rem); } }
figure:only-of-type { width: auto; }
img { max-width: 100%; height: auto; background: #ffffff; }
p { margin: .25rem .5rem; overflow-wrap: anywhere; }
/* Vega's menu of a chart, and its tooltip. */
.vega-embed { position: relative; padding-right: 2.4rem; }
summary { position: absolute; top: 0; right: 0; padding: 6px; list-style: none; line-height: 0; cursor: pointer; }
summary svg { width: 14px; height: 14px; }
.vega-actions { position: absolute; z-index: 1; top: 2rem; right: 0; background: var(--paper); }
.vega-actions { display: flex; flex-direction: column; border: 1px solid var(--line); }
.vega-actions a { padding: .5rem 1rem; color: inherit; }
#vg-tooltip-element { visibility: hidden; position: fixed; z-index: 2; padding: .5rem; font-size: .7rem; }
#vg-tooltip-element { background: var(--paper); border: 1px solid var(--line); }
#vg-tooltip-element.visible { visibility: visible; }
"""
MIDDLE = """</style>
</head>
<body>
<h1>Plots</h1>
<script>"""
TAIL = """</script>
<plaintext>
{plot_divs}
"""
SNIPPET = Path(__file__).with_name("plots_page.js")


def ensure(dvc: Path = Path(".dvc")) -> bool:
    """Make the page in the folder `dvc` and name it in DVC's configuration; return whether anything changed.

    A page that the user configured is kept, and a folder that is not DVC's is left alone.
    """
    if not (dvc / "config").exists():
        return False
    code = content_security_policy() + HEAD + CSS + MIDDLE + SNIPPET.read_text(encoding="utf-8") + TAIL
    version_hash = hashlib.sha256(code.encode()).hexdigest()[:12]
    mark = f"<!-- {version_hash}, vl-convert {version('vl-convert-python')}, Vega-Lite {VEGA_LITE} -->\n"
    if begins_with(dvc / PAGE, mark) and is_named(dvc / CONFIG):
        return False
    # Imported here: they take as long as the rest of a command.
    from dvc.config import Config
    from dvc.exceptions import DvcException

    (dvc / "tmp").mkdir(exist_ok=True)
    with FileLock(dvc / "tmp" / f"{PAGE}.lock"):
        try:
            config = Config(str(dvc.resolve()))
        except DvcException as error:
            raise KellyError(f"DVC's configuration in {dvc} cannot be read ({error}); correct it, see dvc config "
                             "--list --show-origin") from None  # fmt: skip
        if config.get(SECTION, {}).get(OPTION, PAGE) != PAGE:
            return False
        if not begins_with(dvc / PAGE, mark):
            write_text(dvc / PAGE, mark + page())
        if not is_named(dvc / CONFIG):  # last: DVC refuses to work with a page that is missing
            local = dvc / CONFIG
            content = local.read_text(encoding="utf-8") if local.exists() else ""
            if f"[{SECTION}]" in content:
                with config.edit("local") as edited:
                    edited.setdefault(SECTION, {})[OPTION] = PAGE
            else:  # config.edit loses comments
                write_text(local, f"{content.rstrip()}\n[{SECTION}]\n    {OPTION} = {PAGE}\n".lstrip())
    return True


def page() -> str:
    """The template with Vega, Vega-Lite and Vega-Embed included; DVC replaces {plot_divs} and {refresh_tag}."""
    from vl_convert import javascript_bundle

    snippet = SNIPPET.read_text(encoding="utf-8")
    script = javascript_bundle(snippet, vl_version=VEGA_LITE).replace("</script", r"<\/script")
    # 'self' is the folder of the images where the page is served; some browsers have none for files.
    policy = content_security_policy([script], [CSS], images="'self' file: data: blob:")
    return HEAD.replace("POLICY", policy) + CSS + MIDDLE + script + TAIL


def begins_with(path: Path, mark: str) -> bool:
    """Whether a file exists and begins with `mark`."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(len(mark)) == mark
    except (OSError, UnicodeDecodeError):
        return False


def is_named(config: Path) -> bool:
    """Whether a configuration of DVC names the page."""
    try:
        lines = [line.replace(" ", "").strip() for line in config.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return False
    return f"{OPTION}={PAGE}" in lines
