// The explorer's page: sliders, charts and the address. The theory is explorer.wasm, compiled from web/explorer.
"use strict";

const byId = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 52rem)"); // as in the style sheet
const colours = ["#1f77b4", "#d95f02", "#1b9e77", "#9467bd", "#c2185b"];
let scenes = [], scene = null, settings = {}, charts = [], picture = null, wanted = false;
let mended = []; // what in the address could not be taken as it is
let ranges = []; // of the panels' vertical axes

function number(x) {
  return Number.isInteger(x) && Math.abs(x) < 1e6 ? String(x) : x.toPrecision(3);
}

// What is in the address: #scene?name=value&…
function fromAddress() {
  const [id, query] = location.hash.slice(1).split("?");
  scene = scenes.find((s) => s.id === id) || scenes[0];
  settings = {};
  mended = id && scene.id !== id ? [`there is no scene ${id}`] : [];
  const given = new URLSearchParams(query || "");
  for (const s of scene.sliders) {
    const text = given.get(s.name), value = text === null ? s.default : text.trim() === "" ? NaN : Number(text);
    const steps = Math.round((Math.min(s.max, Math.max(s.min, value)) - s.min) / s.step);
    settings[s.name] = Number.isNaN(value) ? s.default : Math.min(s.max, +(s.min + steps * s.step).toFixed(6));
    if (text !== null && Math.abs(settings[s.name] - value) > 1e-6 || Number.isNaN(value)) mended.push(`${s.name}=${text} is not one of the slider's values`);
  }
  for (const name of given.keys()) if (!scene.sliders.some((s) => s.name === name)) mended.push(`the scene has no setting ${name}`);
}

function address(of = scene, values = settings) {
  const changed = of.sliders.filter((s) => values[s.name] !== undefined && values[s.name] !== s.default)
    .map((s) => `${s.name}=${+values[s.name].toFixed(6)}`);
  return "#" + of.id + (changed.length ? "?" + changed.join("&") : "");
}

function remember() {
  history.replaceState(null, "", address());
  byId("address").hidden = true; // it has an older address
  tellAddress();
}

// The page around a frame has the state in its address, too, with a "?" even if nothing is changed.
function tellAddress() {
  if (window.parent !== window) window.parent.postMessage({ address: address().replace(/^#\w+$/, "$&?") }, "*");
}

// The address is another one.
function changed() {
  fromAddress();
  build();
  tellAddress();
}

// Another scene keeps the sizes and the seed that were changed in this one, if it has them.
function elsewhere(other) {
  const kept = {};
  for (const name of ["p", "C", "N", "seed"]) {
    const here = scene.sliders.find((s) => s.name === name), there = other.sliders.find((s) => s.name === name);
    if (here && there && settings[name] !== here.default && settings[name] >= there.min && settings[name] <= there.max) kept[name] = settings[name];
  }
  return address(other, kept);
}

function control(s) {
  const label = document.createElement("label"), output = document.createElement("output");
  label.textContent = s.label;
  let input;
  if (s.choices.length) {
    input = document.createElement("select");
    s.choices.forEach((name, i) => input.add(new Option(name, i, false, i === settings[s.name])));
  } else {
    input = document.createElement("input");
    input.type = "range";
    [input.min, input.max, input.step] = [s.min, s.max, s.step];
    input.value = settings[s.name];
    label.append(output);
  }
  const show = () => {
    const value = s.power ? 10 ** settings[s.name] : settings[s.name];
    output.textContent = number(value);
    if (!s.choices.length) input.setAttribute("aria-valuetext", `${s.label}: ${number(value)}`);
  };
  input.id = "setting-" + s.name;
  input.addEventListener("input", () => {
    settings[s.name] = parseFloat(input.value);
    show();
    request();
  });
  input.addEventListener("change", remember);
  show();
  label.append(input);
  return label;
}

function build() {
  document.title = "Unhinged Lab: " + scene.title;
  byId("text").textContent = scene.text + (mended.length ? ` In the address, ${mended.join("; ")}.` : "");
  byId("controls").replaceChildren(...scene.sliders.map(control));
  byId("scenes").replaceChildren(...scenes.map((s) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = "#" + s.id;
    link.textContent = s.title;
    link.addEventListener("click", () => { link.href = elsewhere(s); });
    if (s === scene) link.setAttribute("aria-current", "page");
    item.append(link);
    return item;
  }));
  const row = byId("scenes"), current = row.querySelector("[aria-current]").parentElement;
  row.scrollLeft = current.offsetLeft - (row.clientWidth - current.clientWidth) / 2; // in its middle, where the row is too long
  byId("panels").scrollLeft = 0;
  show.shapes = "";
  ranges = [];
  draw();
}

// At most one picture a frame.
function request() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => { wanted = false; draw(); });
}

function draw() {
  const result = unhingedDraw(scene.id, settings, iterated);
  byId("answer").className = result.error ? "error" : "";
  byId("answer").textContent = result.error || result.answer;
  byId("iterating").textContent = result.iterates ? "Iterating … 0 %" : "";
  byId("csv").disabled = byId("json").disabled = Boolean(result.error);
  if (result.error) { // nothing of the picture before stays beside the message
    charts.forEach((c) => c.destroy());
    charts = [];
    byId("panels").replaceChildren(byId("cosines"));
    heat([]);
    return;
  }
  picture = result;
  show();
}

// The iteration of the picture calls this now and then.
function iterated(share, panels) {
  picture.panels = panels;
  show();
  byId("iterating").textContent = share < 1 ? `Iterating … ${Math.floor(100 * share)} %` : "The iteration has ended.";
}

function show() {
  ranges = picture.panels.map((p, i) => range(p, ranges[i]));
  const shapes = picture.panels.map((p) => p.title + p.curves.map((c) => c.name)).join();
  if (shapes !== show.shapes || !charts.length) {
    show.shapes = shapes;
    charts.forEach((c) => c.destroy());
    const boxes = picture.panels.map((p) => {
      const box = document.createElement("div"), title = document.createElement("h2");
      title.textContent = p.title;
      box.append(title);
      return box;
    });
    byId("panels").replaceChildren(...boxes, byId("cosines")); // the boxes have their widths before there are charts in them
    charts = picture.panels.map((p, i) => chart(p, i, boxes[i]));
  }
  picture.panels.forEach((p, i) => charts[i].setData([p.at, ...p.curves.map((c) => c.values)]));
  heat(picture.cosines);
}

// Draws the charts anew in the colours of now. There are none beside an error.
function repaint() {
  show.shapes = "";
  if (charts.length) show();
}

// The range of a vertical axis holds still as long as all curves are in it. It grows by more than is needed, so that it
// does not grow at each step of a slider.
function range(panel, held) {
  if (panel.from < panel.to) return [panel.from, panel.to];
  let low = Infinity, high = -Infinity;
  for (const c of panel.curves) for (const v of c.values) if (Number.isFinite(v)) [low, high] = [Math.min(low, v), Math.max(high, v)];
  if (low > high) return held || [0, 1];
  const [from, to] = held || [Infinity, -Infinity], more = 0.1 * (high - low) || 0.5;
  return [low < from ? low - more : from, high > to ? high + more : to];
}

const height = () => (narrow.matches ? 190 : 240);

function chart(panel, at, box) {
  const style = getComputedStyle(document.body), ink = style.color;
  const axis = { labelSize: 20, labelGap: 0, stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8886" } };
  return new uPlot({
    width: box.clientWidth || 360, height: height(), scales: { x: { time: false }, y: { range: () => ranges[at] } },
    axes: [{ ...axis, label: panel.x, size: 32 }, { ...axis, label: panel.y, values: ticks, size: (_, texts) => 26 + 7 * Math.max(3, ...(texts || []).map((t) => t.length)) }],
    series: [{ label: panel.x }, ...panel.curves.map((c, i) => ({
      label: c.name, stroke: colours[i % colours.length], width: 2, spanGaps: false,
      value: (_, v) => (v === null || Number.isNaN(v) ? "–" : v.toPrecision(4)),
      ...(c.points ? { paths: () => null, points: { show: true, size: 5, filter: every } } : { points: { show: false } }),
    }))],
  }, [panel.at, ...panel.curves.map((c) => c.values)], box);
}

// The ticks' numbers, with as many decimals as tell them apart.
function ticks(_, values, axis, space, step) {
  const decimals = (step.toFixed(10).replace(/0+$/, "").split(".")[1] || "").length;
  return values.map((v) => v.toFixed(decimals));
}

// An iteration is drawn at every fifth time.
function every(u, at) {
  const list = [];
  for (let i = 0; i < u.data[at].length; i += 5) if (!Number.isNaN(u.data[at][i])) list.push(i);
  return list;
}

// A pixel a pair of classes; the style sheet makes them large.
function heat(cosines) {
  const n = Math.round(Math.sqrt(cosines.length)), figure = byId("cosines");
  figure.hidden = n === 0;
  if (n === 0) return;
  const canvas = figure.querySelector("canvas");
  canvas.width = canvas.height = n;
  const pen = canvas.getContext("2d"), image = pen.createImageData(n, n);
  cosines.forEach((c, i) => {
    const deep = c >= 0 ? [0xd5, 0x5e, 0x00] : [0x00, 0x72, 0xb2]; // as package plots has them
    image.data.set(deep.map((to) => Math.round(255 + Math.abs(c) * (to - 255))).concat(255), 4 * i);
  });
  pen.putImageData(image, 0, 0);
}

function save(name, kind, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

function plain(values) {
  return Array.from(values, (v) => (Number.isFinite(v) ? v : null));
}

byId("csv").addEventListener("click", () => {
  const lines = ["panel,curve,x,value"], quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  for (const p of picture.panels) for (const c of p.curves) {
    c.values.forEach((v, i) => { if (!Number.isNaN(v)) lines.push([quoted(p.title), quoted(c.name), p.at[i], v].join()); });
  }
  save(scene.id + ".csv", "text/csv", lines.join("\n") + "\n");
});

// A setting's name, and its value as a reader has it: not an exponent, not the number of a choice.
function meant(s) {
  const value = settings[s.name];
  return [s.name, s.choices.length ? s.choices[value] : s.power ? 10 ** value : value];
}

byId("json").addEventListener("click", () => save(scene.id + ".json", "application/json", JSON.stringify({
  scene: scene.id, settings: Object.fromEntries(scene.sliders.map(meant)), answer: picture.answer, cosines: plain(picture.cosines),
  panels: picture.panels.map((p) => ({ ...p, at: plain(p.at), curves: p.curves.map((c) => ({ ...c, values: plain(c.values) })) })),
}, null, 1)));
byId("link").addEventListener("click", async () => {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    byId("link").textContent = "Copied";
    setTimeout(() => { byId("link").textContent = "Copy link"; }, 2000);
  } catch { // the browser does not let this page write to the clipboard
    const field = byId("address");
    field.hidden = false;
    field.value = location.href;
    field.select();
  }
});
byId("reset").addEventListener("click", () => {
  location.hash = "#" + scene.id;
  changed();
});
addEventListener("hashchange", changed);
byId("fit").addEventListener("click", () => {
  ranges = [];
  repaint();
});
addEventListener("resize", () => charts.forEach((c) => c.setSize({ width: c.root.parentElement.clientWidth, height: height() })));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

// In a frame, this page has the theme of the page around it (web/site/site.js), and tells it its height.
if (window.top !== window) {
  document.body.classList.add("embedded");
  const tell = () => window.parent.postMessage({ height: document.body.offsetHeight }, "*");
  new ResizeObserver(tell).observe(document.body);
  addEventListener("message", (e) => {
    if (e.source !== window.parent || !["light", "dark", "auto"].includes(e.data?.theme)) return;
    document.documentElement.dataset.theme = e.data.theme;
    repaint();
    requestAnimationFrame(tell); // when the new charts have their sizes
  });
}

// explorer.wasm calls this when its functions are there.
window.unhingedReady = () => {
  scenes = unhingedScenes();
  fromAddress();
  build();
};

// The program is packed, whatever the server does. A page that was opened as a file may not fetch: it has the same bytes
// in a script.
async function packed() {
  if (location.protocol !== "file:") return (await fetch("explorer.wasm.gz")).arrayBuffer();
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    [script.src, script.onload, script.onerror] = ["explorer.wasm.js", resolve, () => reject(new Error("explorer.wasm.js is missing"))];
    document.body.append(script);
  });
  return Uint8Array.from(atob(window.unhingedWasm), (c) => c.charCodeAt(0)).buffer;
}

async function load() {
  const go = new Go();
  let bytes = await packed();
  if (new Uint8Array(bytes)[0] === 0x1f) { // unless the browser has unpacked it already
    bytes = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }
  go.run((await WebAssembly.instantiate(bytes, go.importObject)).instance);
}

load().catch((e) => {
  byId("answer").className = "error";
  byId("answer").textContent = "The theory could not be loaded: " + e.message;
});
