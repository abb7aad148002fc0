// What scrolls can be scrolled by keyboard too.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".wide, .formula, .cell_output, pre")) box.tabIndex = 0;
});

// A frame with the explorer has this page's theme and its own content's height. They talk in messages, because a browser lets
// no page that is a file look into another.
document.addEventListener("DOMContentLoaded", () => {
  const frames = [...document.querySelectorAll("iframe.scene")];
  const tell = () => frames.forEach((f) => f.contentWindow.postMessage({ theme: document.body.dataset.theme }, "*"));
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
  frames.forEach((f) => f.addEventListener("load", tell));
  tell();
  addEventListener("message", (e) => {
    const frame = frames.find((f) => f.contentWindow === e.source);
    if (frame && e.data?.height > 0) frame.style.height = `${e.data.height}px`;
    if (frame && typeof e.data?.address === "string") history.replaceState(null, "", e.data.address);
  });
  // The explorer's state is in this page's address, too, behind a "?" that no heading has.
  const restore = () => {
    if (/^#\w+\?/.test(location.hash)) frames.forEach((f) => { f.src = f.src.replace(/#.*/, "") + location.hash; });
  };
  addEventListener("hashchange", restore);
  restore();
});

// The ledger's search: words, section and verdict.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector(".claims-filter");
  if (!form) return;
  const rows = [...document.querySelectorAll("table.claims tbody tr")], count = form.querySelector("output");
  const filter = () => {
    const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((w) => text.includes(w)) && (!form.section.value || row.dataset.section === form.section.value) &&
        (!form.verdict.value || row.dataset.verdict === form.verdict.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (e) => e.preventDefault());
  filter();
});
