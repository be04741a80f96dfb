"""A self-contained page for `dvc plots show` and `diff`: DVC's own loads Vega from a server, this one includes it.

DVC takes the page from `plots.html_template` of its configuration. Vega comes from vl-convert and is not in this
repository: the page is made on each machine and named in that machine's configuration (.dvc/config.local). A clone in
which it was never made shows DVC's page.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.text import script_hash

PAGE, CONFIG = "plots_page.html", "config.local"
SECTION, OPTION = "plots", "html_template"
VEGA_LITE = "6.4"  # the version that vl-convert includes

# DVC escapes nothing that it puts into a page: its plots go into a template, which is inert, and only the script that
# draws them may run.
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src 'unsafe-inline'; img-src 'self' file: data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="POLICY">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>Plots: dvc plots</title>
<style>
:root { color-scheme: light dark; --ink: #222222; --paper: #ffffff; --line: #d9dce1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15181c; --line: #3d434b; } }
html { background: var(--paper); color: var(--ink); font: 100%/1.5 system-ui, "DejaVu Sans", sans-serif; }
body { margin: 1rem; display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
h1 { font-size: 1.3rem; flex-basis: 100%; margin: 0; }
/* Charts in a row, images of all revisions side by side. */
body > div { max-width: 100%; overflow-x: auto; }
.images { flex-basis: 100%; border: 1px solid var(--line); text-align: center; }
figure { display: inline-block; vertical-align: top; width: 92%; margin: 2px; border: 1px dotted var(--line); }
@media (min-width: 50rem) { figure { width: calc(50% - 1rem); } }
figure:only-of-type { width: auto; }
img { max-width: 100%; height: auto; background: #ffffff; }
p { margin: .25rem .5rem; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>Plots</h1>
<template>{plot_divs}</template>
<script>"""
TAIL = """</script>
</body>
</html>
"""
# DVC's elements hold a call vegaEmbed(place, chart), or images, each after a paragraph with its revision. Each chart
# also follows the page from light to dark. DVC declares Vega-Lite 5, which version 6 draws with a warning. Errors alone
# (1) are logged: Vega warns of scales before there is data. With ast, Vega interprets its expressions: no eval.
SNIPPET = """
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = [];
const draw = ([place, chart]) =>
  vegaEmbed(place, {...structuredClone(chart), $schema: "https://vega.github.io/schema/vega-lite/v6.json"},
    {ast: true, logLevel: 1, theme: dark.matches ? "dark" : undefined,
      config: {background: "transparent", axis: {gridColor: "#88888866"}}});
dark.addEventListener("change", () => charts.forEach(draw));

const append = (parent, tag, values) => parent.appendChild(Object.assign(document.createElement(tag), values));
for (const box of document.querySelector("template").content.children) {
  const call = box.querySelector("script")?.textContent.match(/var spec = (.*);\\s*vegaEmbed/s);
  const names = box.querySelectorAll("p"), images = box.querySelectorAll("img");
  if (call) {
    charts.push([append(document.body, "div", {id: box.id}), JSON.parse(call[1])]);
    draw(charts.at(-1));
  } else if (images.length) {
    const group = append(document.body, "div", {id: box.id, className: "images"});
    append(group, "p", {textContent: names[0].textContent});
    images.forEach((image, i) => {
      const figure = append(group, "figure"), name = names[i + 1].textContent;
      append(figure, "p", {textContent: name});
      append(figure, "img", {src: image.getAttribute("src"), alt: `${names[0].textContent}: ${name}`});
    });
  } else if (box.tagName === "DIV") {
    append(document.body, "p", {textContent: "A chart cannot be shown: a name in it is HTML that ends a script."});
  }
}
"""


def ensure(dvc: Path = Path(".dvc")) -> bool:
    """Make the page in the folder `dvc` and name it in DVC's configuration; return whether anything changed.

    A page that the user configured is kept, and a folder that is not DVC's is left alone.
    """
    if not (dvc / "config").exists():
        return False
    version_hash = hashlib.sha256((POLICY + HEAD + SNIPPET + TAIL).encode()).hexdigest()[:12]
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

    script = javascript_bundle(SNIPPET, vl_version=VEGA_LITE).replace("</script", r"<\/script")
    return HEAD.replace("POLICY", POLICY.format(script=script_hash(script))) + script + TAIL


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
