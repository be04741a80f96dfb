// Draws what DVC wrote. DVC escapes nothing, so its elements are read as text: calls vegaEmbed(place, chart), one JSON
// value on a line, and images, each after a paragraph with its revision, in groups after a paragraph with their name.
const PARTS = new RegExp([
  "^ {12}var spec = (?<chart>.*);$",
  "^ {12}<p>(?<group>[^]*?)</p>\\n\\n {16}<div$",
  "^ {20}<p>(?<revision>[^]*?)</p>\\n {20}<img src=\"(?<source>[^]*?)\">$",
].join("|"), "gm");
// A chart follows the page from light to dark. DVC declares Vega-Lite 5, which version 6 draws with a warning. Errors
// alone (1) are logged: Vega warns of scales before there is data. With ast, Vega interprets its expressions: no eval.
// The styles are those of the page, as the policy allows no others.
const OPTIONS = {
  ast: true, logLevel: 1, defaultStyle: false, forceActionsMenu: true, tooltip: { disableDefaultStyle: true },
  config: { background: "transparent", axis: { gridColor: "#88888866" } },
};
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = [];

const append = (parent, tag, values) => parent.appendChild(Object.assign(document.createElement(tag), values));
// Python writes NaN and Infinity, which JSON lacks and Vega leaves out, as it does null.
const parse = (json) =>
  JSON.parse(json.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (part) => part[0] === '"' ? part : "null"));
const toUrl = (path) => path.startsWith("data:") ? path : path.split("/").map(encodeURIComponent).join("/");

function draw([box, chart]) {
  vegaEmbed(box, { ...structuredClone(chart), $schema: "https://vega.github.io/schema/vega-lite/v6.json" },
    { ...OPTIONS, theme: dark.matches ? "dark" : undefined })
    .catch((error) => { box.textContent = `This chart cannot be drawn: ${error.message}`; });
}

function show(text) {
  let images;
  for (const { groups: { chart, group, revision, source } } of text.matchAll(PARTS)) {
    if (chart !== undefined) {
      charts.push([append(document.body, "div", {}), parse(chart)]);
    } else if (group !== undefined) {
      images = append(document.body, "div", { className: "images", title: group });
      append(images, "p", { textContent: group });
    } else {
      const figure = append(images ?? document.body, "figure", {});
      append(figure, "p", { textContent: revision });
      append(figure, "img", { src: toUrl(source), alt: `${images?.title}: ${revision}` });
    }
  }
  if (!document.querySelector("h1 ~ div") && text.trim()) {
    append(document.body, "p", { textContent: "The plots are not as this page expects them, perhaps of another version "
      + "of DVC; to see them in DVC's own page, remove html_template from .dvc/config.local." });
  }
  charts.forEach(draw);
}

dark.addEventListener("change", () => charts.forEach(draw));
document.addEventListener("DOMContentLoaded", () => {
  const written = document.querySelector("plaintext");
  written.remove();
  show(written.textContent);
});
