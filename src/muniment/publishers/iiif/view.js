// Shows the scans of a page with their tiles, where the viewer came with it, and finds words on them.
"use strict";

const links = [...document.querySelectorAll("a[data-image]")];
const byId = (name) => document.getElementById(name);
let viewer = null;
let box = null;

function say(number) {
  byId("which").textContent = `${number + 1} / ${links.length}: ${links[number].dataset.title}`;
  byId("previous").disabled = number === 0;
  byId("next").disabled = number === links.length - 1;
  for (const [at, link] of links.entries()) {
    if (at === number) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function show(number, line) {
  if (!viewer) {
    links[number].scrollIntoView();
    links[number].focus();
    return;
  }
  const mark = () => {
    if (box) viewer.removeOverlay(box);
    box = null;
    if (!line) return;
    const image = viewer.world.getItemAt(0);
    const [x, y, width, height] = line;
    const place = image.imageToViewportRectangle(x, y, width, height);
    box = document.createElement("div");
    box.className = "found";
    viewer.addOverlay({ element: box, location: place });
    const around = image.imageToViewportRectangle(x - width / 2, y - 4 * height, 2 * width, 9 * height);
    viewer.viewport.fitBoundsWithConstraints(around);
  };
  if (viewer.currentPage() === number && viewer.world.getItemCount()) mark();
  else {
    viewer.addOnceHandler("open", mark);
    viewer.goToPage(number);
  }
  byId("stage").scrollIntoView({ block: "nearest" });
}

function begin() {
  const stage = byId("stage");
  stage.hidden = false;
  viewer = OpenSeadragon({
    element: byId("scan"),
    tileSources: links.map((link) => new URL(link.dataset.image, document.baseURI).href),
    sequenceMode: links.length > 1,
    showSequenceControl: false,
    showNavigationControl: false,
    drawer: "canvas",
    preserveViewport: false,
    visibilityRatio: 0.5,
    maxZoomPixelRatio: 4,
  });
  viewer.addHandler("page", (event) => say(event.page));
  // What cannot be opened is in the list below all the same.
  viewer.addHandler("open-failed", () => {
    stage.hidden = true;
    viewer = null;
  });
  const zoom = (factor) => () => {
    viewer.viewport.zoomBy(factor);
    viewer.viewport.applyConstraints();
  };
  byId("closer").addEventListener("click", zoom(1.6));
  byId("farther").addEventListener("click", zoom(1 / 1.6));
  byId("all").addEventListener("click", () => viewer.viewport.goHome());
  byId("previous").addEventListener("click", () => show(viewer.currentPage() - 1));
  byId("next").addEventListener("click", () => show(viewer.currentPage() + 1));
  for (const [number, link] of links.entries())
    link.addEventListener("click", (event) => {
      if (!viewer || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(number);
    });
  say(0);
}

// Lower case without accents, so that nobody need type them.
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function find(pages, words) {
  const wanted = plain(words).split(/\s+/).filter(Boolean);
  const found = [];
  if (!wanted.length) return found;
  for (const [number, lines] of pages.entries())
    for (const [x, y, width, height, text] of lines) {
      const line = plain(text);
      if (wanted.every((word) => line.includes(word))) found.push({ number, line: [x, y, width, height], text });
    }
  return found;
}

function list(found) {
  const most = 200;
  byId("count").textContent = found.length > most ? `${most} of ${found.length}` : `${found.length}`;
  byId("hits").replaceChildren(
    ...found.slice(0, most).map(({ number, line, text }) => {
      const row = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${number + 1}: ${text}`;
      button.addEventListener("click", () => show(number, line));
      row.append(button);
      return row;
    }),
  );
}

function search(form) {
  let pages = null;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      pages ??= (await (await fetch(form.dataset.lines)).json()).pages;
      list(find(pages, byId("words").value));
    } catch (error) {
      byId("count").textContent = String(error);
    }
  });
}

if (window.OpenSeadragon && links.length) begin();
const form = byId("search");
if (form) search(form);
