// An extension of JupyterLab, written without a build: it shows SVG outputs as pictures. When the mouse comes over one that package plots has
// described (plots/describe.go), plotly takes its place, from the lab's own files: values appear under the mouse, a rectangle zooms, a double
// click shows all again, and a click on a name hides its curve. The data of curves are the picture's own strokes, so that notebooks hold each
// figure once; the few numbers of bars, points and heat maps are in the description.
(() => {
  const MIME = "image/svg+xml";
  const here = document.currentScript.src;
  const PLOTLY = new URL("../../unhinged-assets/plotly-4.1.1.min.js", here).href;
  let shared, loading;

  const plotly = () => loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = PLOTLY;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { loading = undefined; failed(new Error(`${PLOTLY} could not be loaded`)); };
    document.head.append(script);
  });

  // The points of the strokes of one colour in a panel, as values; a null between two strokes that do not meet.
  function values(strokes, panel) {
    const [left, right, bottom, top] = panel.area, [x0, x1, y0, y1] = panel.range, x = [], y = [];
    let last;
    for (const points of strokes) {
      const inside = points.every(([px, py]) => px > left - 1 && px < right + 1 && py > bottom - 1 && py < top + 1);
      if (!inside) continue;
      if (last && last.join() != points[0].join()) { x.push(null); y.push(null); }
      for (const [px, py] of points) {
        x.push(x0 + (px - left) / (right - left) * (x1 - x0));
        y.push(y0 + (py - bottom) / (top - bottom) * (y1 - y0));
      }
      last = points.at(-1);
    }
    return [x, y];
  }

  // The description and the strokes of a picture, or null if it has none.
  function read(svg) {
    const root = new DOMParser().parseFromString(svg, MIME).documentElement;
    const metadata = root.querySelector("metadata");
    if (!metadata) return null;
    const strokes = {};
    for (const path of root.querySelectorAll("path")) { // strokes of curves are 1.5 wide, those of an inset are not
      const colour = /fill:none;stroke:(#[0-9A-F]{6});stroke-width:1.5/.exec(path.getAttribute("style") ?? "")?.[1];
      if (colour) (strokes[colour] ??= []).push(path.getAttribute("d").slice(1).split("L").map(p => p.split(",").map(Number)));
    }
    const [, , width, height] = root.getAttribute("viewBox").split(" ").map(Number);
    return { panels: JSON.parse(metadata.textContent), strokes, width, height };
  }

  const bars = panel => (panel.bars ?? []).map(({ name, colour, y, sd }) => ({ type: "bar", name, showlegend: name !== "", x: panel.labels.map((_, j) => j), y,
    marker: { color: colour }, hovertemplate: "%{y}<extra>%{fullData.name}</extra>", ...(sd && { error_y: { array: sd, color: "#222222", thickness: 1, width: 0 } }) }));

  // Points, or arrows from the origin with their heads at the points.
  const points = (panel, scale) => (panel.points ?? []).map(({ name, colour, x, y, arrows }) => ({ type: "scatter", name, hovertemplate: "(%{x}, %{y})",
    mode: arrows ? "lines+markers" : "markers", line: { color: colour, width: 1.8 * scale },
    x: arrows ? x.flatMap(v => [0, v, null]) : x, y: arrows ? y.flatMap(v => [0, v, null]) : y,
    marker: arrows ? { color: colour, symbol: "arrow", angleref: "previous", size: x.flatMap(() => [0, 9 * scale, 0]) } : { color: colour, opacity: 0.6, size: 4.4 * scale } }));

  const heat = ({ matrix, x, y, area: [, right, bottom, top] }, scale, width, height) => matrix ? [{ type: "heatmap", z: matrix.values, zmin: -matrix.reach, zmax: matrix.reach,
    colorscale: matrix.colours.map((colour, i) => [i / 2, colour]), hovertemplate: `${y} %{y}, ${x} %{x}: %{z}<extra></extra>`,
    colorbar: { title: { text: matrix.name, side: "right" }, x: (right + 16) / width, xanchor: "left", y: bottom / height, yanchor: "bottom",
      lenmode: "fraction", len: (top - bottom) / height, thickness: 12 * scale, ypad: 0, outlinewidth: 0 } }] : [];

  // The title over a panel. One that is wider than its room is written smaller; in a picture of one panel it may need the picture's whole width.
  function heading({ title, area: [left, right, , top] }, room, width, height, font) {
    const size = Math.min(11, room / (0.56 * title.length)), half = 0.28 * size * title.length, middle = (left + right) / 2;
    const x = room === width ? Math.max(half, Math.min(width - half, middle)) : middle;
    return { text: title, showarrow: false, font: font(size), xref: "paper", yref: "paper", x: x / width, y: top / height, xanchor: "center", yanchor: "bottom" };
  }

  function figure({ panels, strokes, width, height }, scale) {
    const data = [], named = new Set();
    const font = size => ({ family: "Liberation Sans, Arial, Helvetica, sans-serif", size: size * scale, color: "#222222" });
    const layout = { paper_bgcolor: "white", plot_bgcolor: "white", margin: { l: 0, r: 0, t: 0, b: 0 }, font: font(8.5), hovermode: "closest",
      legend: { orientation: "h", x: 0.5, xanchor: "center", y: 1, yanchor: "top", font: font(10) }, annotations: [], bargap: 0.2, modebar: { orientation: "v" } };
    panels.forEach((panel, i) => {
      const n = i ? i + 1 : "", [left, right, bottom, top] = panel.area, [x0, x1, y0, y1] = panel.range;
      const exponents = panel.log && (y0 < -300 || y1 > 300); // too large or too small for JavaScript's numbers
      const value = panel.log && !exponents ? v => v === null ? null : 10 ** v : v => v;
      const axis = { gridcolor: "#e4e4e4", zeroline: false, linecolor: "#777777", ticks: "outside", ticklen: 4, showline: true };
      layout["xaxis" + n] = { ...axis, domain: [left / width, right / width], anchor: "y" + n, range: [x0, x1], nticks: 7, title: { text: panel.x, standoff: 2, font: font(9.5) } };
      layout["yaxis" + n] = { ...axis, domain: [bottom / height, top / height], anchor: "x" + n, range: [y0, y1], nticks: 8, exponentformat: "power",
        title: { text: panel.y, standoff: 2, font: font(9.5) }, ...(exponents && { tickprefix: "10<sup>", ticksuffix: "</sup>" }), ...(panel.log && !exponents && { type: "log" }) };
      layout.annotations.push(heading(panel, panels.length === 1 ? width : right - left + 60, width, height, font));
      const add = (name, x, y, line, more) => {
        data.push({ type: "scatter", mode: "lines", name, legendgroup: name, showlegend: !named.has(name), x, y: y.map(value), line, xaxis: "x" + n, yaxis: "y" + n, ...more });
        named.add(name);
      };
      for (const [colour, name] of panel.curves) {
        const [x, y] = values(strokes[colour] ?? [], panel);
        if (x.length) add(name, x, y, { color: colour, width: 1.5 * scale });
      }
      for (const [name, y] of Object.entries(panel.lines ?? {})) {
        add(name, [x0, x1], [y, y], { color: "#555555", width: scale, dash: "dash" }, { showlegend: false });
        layout.annotations.push({ text: name, showarrow: false, font: font(8.5), xref: "x" + n, yref: "y" + n, x: x1, y, xanchor: "right", yanchor: "bottom" });
      }
      const axes = { xaxis: "x" + n, yaxis: "y" + n };
      for (const trace of [...bars(panel), ...points(panel, scale), ...heat(panel, scale, width, height)]) data.push({ ...trace, ...axes });
      if (panel.labels) Object.assign(layout["xaxis" + n], { tickvals: panel.labels.map((_, j) => j), ticktext: panel.labels });
      if (panel.circle) (layout.shapes ??= []).push({ type: "circle", xref: "x" + n, yref: "y" + n, x0: -panel.circle, x1: panel.circle,
        y0: -panel.circle, y1: panel.circle, line: { color: "#555555", width: scale, dash: "dash" } });
    });
    return [data, layout];
  }

  async function bringToLife(img, picture) {
    const box = img.getBoundingClientRect(), place = document.createElement("div");
    if (!box.width) return;
    const lib = await plotly();
    place.style.cssText = `width:${box.width}px;height:${box.height}px`;
    const [data, layout] = figure(picture, box.width / picture.width);
    img.replaceWith(place);
    // Without showSendToCloud, plotly.js 4 has a button that sends the data to a server.
    await lib.newPlot(place, data, layout, { displaylogo: false, showSendToCloud: false });
  }

  async function renderer() {
    const versions = shared["@lumino/widgets"];
    const { Widget } = (await versions[Object.keys(versions)[0]].get())();
    class Picture extends Widget {
      async renderModel(model) {
        const svg = [model.data[MIME]].flat().join(""), img = document.createElement("img");
        img.src = "data:image/svg+xml," + encodeURIComponent(svg);
        img.alt = /<title>([^<]*)</.exec(svg)?.[1] ?? "";
        img.style.maxWidth = "100%";
        this.node.replaceChildren(img);
        const picture = read(svg);
        if (picture) img.addEventListener("pointerenter", () => bringToLife(img, picture).catch(e => console.warn(e.message)), { once: true });
      }
    }
    return { __esModule: true, default: [{
      id: "unhinged-figures:picture", dataType: "string", rank: 0,
      // A picture in an <img> runs no scripts, so that it is shown in notebooks that JupyterLab does not trust, too.
      rendererFactory: { safe: true, mimeTypes: [MIME], createRenderer: () => new Picture() },
    }] };
  }

  (window._JUPYTERLAB ??= {})["unhinged-figures"] = {
    init: scope => { shared = scope; },
    get: async () => { const module = await renderer(); return () => module; },
  };
})();
