"""The page's style sheet and script. Colours live here once, as CSS variables, light and dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1e23; --muted: #666d78; --rule: #b9bec7; --grid: #e9ebee;
  --wash: #f6f7f8; --link: #0b5d95;
  --neurons: #0072b2; --neurons-faint: rgba(0,114,178,.45); --neurons-soft: rgba(0,114,178,.10);
  --weights-linear: #008a63; --weights-linear-faint: rgba(0,138,99,.5);
  --weights-linear-soft: rgba(0,138,99,.09);
  --weights-relu: #d05a00; --weights-relu-faint: rgba(208,90,0,.5);
  --weights-relu-soft: rgba(208,90,0,.11);
  --broken: #a23b72; --broken-faint: rgba(162,59,114,.3);
  --broken-soft: rgba(162,59,114,.14);
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Cambria,
    "Liberation Serif", "Times New Roman", serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root:not(.printing) {
    --paper: #14161a; --ink: #e4e6ea; --muted: #9aa1ac; --rule: #4a505a; --grid: #262a31;
    --wash: #1b1e24; --link: #7cc0ee;
    --neurons: #5ab6ec; --neurons-faint: rgba(90,182,236,.5); --neurons-soft: rgba(90,182,236,.12);
    --weights-linear: #35c79b; --weights-linear-faint: rgba(53,199,155,.5);
    --weights-linear-soft: rgba(53,199,155,.10);
    --weights-relu: #f2953f; --weights-relu-faint: rgba(242,149,63,.55);
    --weights-relu-soft: rgba(242,149,63,.13);
    --broken: #ec8fc0; --broken-faint: rgba(236,143,192,.35);
    --broken-soft: rgba(236,143,192,.17);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink); font: 18px/1.55 var(--serif);
}
main { max-width: 880px; margin: 0 auto; padding: 56px 28px 72px; }
h1 {
  font-size: 2.05rem; line-height: 1.15; font-weight: 600; letter-spacing: -.012em;
  margin: 0 0 .5rem; text-wrap: balance;
}
h2 { font-size: 1.35rem; line-height: 1.25; font-weight: 600; margin: 3.4rem 0 .6rem; }
h3 { font-size: 1.06rem; line-height: 1.35; font-weight: 600; margin: 0 0 .6rem; }
h3 small { font-weight: 400; color: var(--muted); font-size: .92em; }
p { max-width: 40em; margin: 0 0 .9em; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: 1px; }
sub, sup { line-height: 0; font-size: .72em; }
.plan, .note { color: var(--muted); text-wrap: pretty; }
.note { font-size: .9rem; margin-top: .8rem; }
.finding { font-size: 1.16rem; line-height: 1.5; margin: 1.3rem 0 1.5rem; }
.finding b { font-weight: 600; white-space: nowrap; }
.notice { border-left: 3px solid var(--weights-relu); padding-left: 14px; }
dl.status {
  display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.1rem;
  margin: 1.6rem 0; padding: .9rem 0; border: solid var(--grid); border-width: 1px 0;
  font-size: .95rem;
}
dl.status dt { font-weight: 600; }
dl.status dd { margin: 0; max-width: 40em; }
figure { margin: 1.8rem 0 2.6rem; }
.plot { width: 100%; margin-top: 30px; }
/* The toolbar has a row of its own above the figure: over data it hides marks. */
.plot .modebar-container { top: -30px !important; }
.plot .modebar-container .modebar, .plot .modebar-group { background: none !important; }
figcaption {
  font-size: .9rem; line-height: 1.5; color: var(--muted); max-width: 46em; margin-top: .7rem;
}
.legend {
  list-style: none; margin: .4rem 0 .3rem; padding: 0;
  display: grid; gap: .3rem 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 350px), 1fr));
  font: 14px/1.4 var(--sans);
}
.legend li { display: flex; gap: 10px; align-items: flex-start; }
.legend small { color: var(--muted); font-size: 13px; }
.legend b { font-weight: 600; }
.swatch { flex: none; margin-top: 3px; overflow: visible; }
.stepper {
  display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; align-items: center;
  margin: .3rem 0 .6rem; font: 14px/1.4 var(--sans);
}
.stepper input { width: 100%; margin: 0; accent-color: var(--neurons); }
.stepper output { grid-column: 1 / -1; min-height: 1.4em; }
.stepper output b { font-weight: 600; }
.tools {
  display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: baseline;
  margin-top: .55rem; font: 13.5px/1.4 var(--sans);
}
.tools details { flex: 1 1 14rem; min-width: 0; }
.tools details[open] { flex-basis: 100%; }
summary { cursor: pointer; color: var(--link); }
.scroll { overflow: auto; margin-top: .6rem; }
details .scroll { max-height: 24rem; }
table {
  border-collapse: collapse; font: 13.5px/1.35 var(--sans);
  font-variant-numeric: lining-nums tabular-nums;
}
th, td {
  padding: .36rem .8rem .36rem 0; text-align: right; vertical-align: bottom; white-space: nowrap;
}
th:first-child, td:first-child { padding-left: 1px; }
th:last-child, td:last-child { padding-right: 1px; }
thead th {
  font-weight: 600; border-bottom: 1px solid var(--rule); white-space: normal;
  min-width: 4.6em; max-width: 11em;
}
details thead th { position: sticky; top: 0; background: var(--paper); }
tbody tr { border-bottom: 1px solid var(--grid); }
td.text, tbody th { text-align: left; }
.widths { width: 100%; }
.widths thead th:first-child, .widths tbody td:first-child { text-align: left; }
.widths tbody tr.series { border-bottom: 0; }
.widths tbody tr.series th { padding-top: 1.1rem; font-weight: 600; white-space: normal; }
.widths .law { font-weight: 400; color: var(--muted); margin-left: .8em; }
.networks {
  display: grid; grid-template-columns: repeat(3, 1fr); grid-template-rows: 1fr auto;
  gap: 4px 28px; margin: .4rem 0 1rem;
}
.network { display: grid; grid-row: span 2; grid-template-rows: subgrid; align-items: center; }
.network svg { width: 100%; height: auto; display: block; }
.network p { font: 14px/1.4 var(--sans); text-align: center; margin: 0; color: var(--muted); }
.network p b { color: var(--ink); font-family: var(--serif); font-size: 17px; margin-right: .3em; }
.network .positive { stroke: var(--neurons); }
.network .negative { stroke: var(--weights-relu); stroke-dasharray: 5 3; }
.network .node { fill: var(--paper); stroke: var(--ink); stroke-width: 1.3; }
.network .relu { fill: none; stroke: var(--ink); stroke-width: 1.3; }
.network text { fill: var(--ink); font: 13px var(--sans); }
.network .name { text-anchor: middle; }
.network .var { font-family: var(--serif); font-style: italic; font-size: 14px; }
.network .sub { font-size: 9px; }
.network .weight {
  font-size: 11px; text-anchor: middle; paint-order: stroke;
  stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round;
}
.network .dropped { opacity: .16; }
.network text.dropped { opacity: .35; }
pre {
  font: 13.5px/1.5 var(--mono); background: var(--wash); padding: .8rem 1rem;
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere;
}
code { font: .84em var(--mono); overflow-wrap: anywhere; }
footer {
  margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--grid);
  font-size: .88rem; color: var(--muted);
}
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media (max-width: 600px) {
  body { font-size: 17px; }
  main { padding: 30px 16px 48px; }
  h1 { font-size: 1.65rem; }
  .finding { font-size: 1.08rem; }
  dl.status { grid-template-columns: 1fr; gap: .1rem; }
  dl.status dd { margin-bottom: .6rem; }
  .networks { grid-template-columns: 1fr; grid-template-rows: none; }
  .network { max-width: 300px; width: 100%; margin: 0 auto .8rem; }
  .widths { font-size: 12.5px; }
  .widths th, .widths td { padding-right: .5rem; min-width: 0; }
  .widths .inverse { display: none; }
  .widths .law { display: block; margin: .1rem 0 0; }
}
@page { margin: 17mm 15mm; }
@media print {
  body { font-size: 10.5pt; line-height: 1.45; }
  main { max-width: none; padding: 0; }
  p, figcaption, dl.status dd { max-width: none; }
  h1 { font-size: 1.6rem; }
  .finding { margin: .7rem 0 .8rem; }
  dl.status { margin: .8rem 0; padding: .5rem 0; }
  h2 { margin-top: 1.4rem; break-after: avoid; }
  h3 { margin-bottom: .2rem; break-after: avoid; }
  figure { margin: .8rem 0 1.6rem; }
  .plot, .legend, tr, dl.status { break-inside: avoid; }
  .plot, .networks { break-after: avoid; }
  tr.series { break-after: avoid; }
  .tools, .stepper { display: none; }
  .legend { font-size: 11.5px; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); }
  .legend small { font-size: 11px; }
  a { color: inherit; text-decoration: none; }
  pre { border: 1px solid var(--grid); }
}
"""

# Figures are drawn by one function, again whenever the scheme, the width or the medium changes.
SCRIPT = """
(() => {
  const root = document.documentElement;
  const plots = [...document.querySelectorAll(".plot")];
  const specs = plots.map(plot => document.getElementById(plot.dataset.name + "-spec").textContent);
  const PRINT_WIDTH = 660, PRINT_SHRINK = 0.66;
  const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];

  function colours(styles, text) {
    return text.replace(/var\\((--[\\w-]+)\\)/g, (_, name) => styles.getPropertyValue(name).trim());
  }

  function draw() {
    const styles = getComputedStyle(root);
    const printing = root.classList.contains("printing");
    plots.forEach((plot, k) => {
      const spec = JSON.parse(colours(styles, specs[k]));
      const width = printing ? PRINT_WIDTH : plot.clientWidth;
      spec.layout.width = width;
      if (printing) spec.layout.height *= PRINT_SHRINK;
      plot.style.height = spec.layout.height + "px";
      useStepper(plot, spec, printing);
      if (width < 520) {
        spec.layout.font.size = 11;
        spec.layout.margin.l = 50;
        spec.layout.margin.r = 22;
        for (const { marker } of spec.data) {
          if (marker && marker.size > 8) marker.size = 7;
        }
        for (const name of ["xaxis", "xaxis2"]) thin(spec.layout[name]);
      }
      Plotly.react(plot, spec.data, spec.layout, {
        displaylogo: false, modeBarButtons: buttons,
        toImageButtonOptions: { format: "svg", filename: plot.dataset.name },
      });
    });
  }

  // A figure's own slider becomes the native one below it; on paper the last step is drawn.
  function useStepper(plot, spec, printing) {
    if (!spec.layout.sliders) return;
    const steps = spec.layout.sliders[0].steps;
    const input = document.getElementById(plot.dataset.name + "-slider");
    const output = plot.parentElement.querySelector("output");
    delete spec.layout.sliders;
    delete spec.layout.title;
    spec.layout.margin.t = 14;
    const restyle = k => steps[k].args[0];
    if (!printing) {
      const { x, y } = restyle(+input.value);
      steps[0].args[2].forEach((trace, i) => Object.assign(spec.data[trace], { x: x[i], y: y[i] }));
    }
    input.oninput = () => {
      const k = +input.value, head = document.createElement("b");
      head.textContent = `${k} of ${steps.length - 1}.`;
      output.replaceChildren(head, " " + steps[k].value);
      input.setAttribute("aria-valuetext", head.textContent + " " + steps[k].value);
      Plotly.restyle(plot, restyle(k), steps[k].args[2]);
    };
  }

  // On a narrow screen every other tick label goes when there are more than six.
  function thin(axis) {
    if (!axis || !axis.ticktext || axis.ticktext.length <= 6) return;
    const last = axis.ticktext.length - 1;
    axis.ticktext = axis.ticktext.map((text, k) => (last - k) % 2 ? "" : text);
  }

  if (!plots.length) return;
  let drawn = 0;
  new ResizeObserver(() => {
    if (root.classList.contains("printing") || plots[0].clientWidth === drawn) return;
    drawn = plots[0].clientWidth;
    draw();
  }).observe(document.querySelector("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", () => { root.classList.add("printing"); draw(); });
  addEventListener("afterprint", () => { root.classList.remove("printing"); draw(); });
})();
"""
