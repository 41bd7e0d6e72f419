// What every page does with scripts: times in the reader's own zone, and the parts that the page asks for.

const { lang } = document.documentElement;
const locale = navigator.languages.find((each) => each.toLowerCase().startsWith(lang)) ?? lang;
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

export function localTimes(within) {
  for (const each of within.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(each.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    each.textContent = (each.dataset.day === undefined ? exact : day).format(moment);
    each.dataset.local = "";
  }
}

localTimes(document);
document.addEventListener("m-new", () => localTimes(document));

const parts = { "m-upload": "./upload.js", "m-live": "./live.js", "m-follow": "./follow.js", "m-digest": "./digest.js", "m-choose": "./choose.js", "m-copy": "./copy.js", "m-log": "./log.js", "m-viewer": "./viewer.js", "m-tree": "./tree.js", "m-part": "./part.js", "m-pair": "./pair.js" };
for (const [name, place] of Object.entries(parts)) {
  if (document.querySelector(name)) import(place);
}

// A file that is dropped on a field of search is looked for by its digest; the script for it comes with the first one.
for (const field of document.querySelectorAll('input[type=search][name=q]')) {
  field.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) { event.preventDefault(); field.classList.add("over"); } });
  field.addEventListener("dragleave", () => field.classList.remove("over"));
  field.addEventListener("drop", async (event) => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    field.classList.remove("over");
    (await import("./digest.js")).dropped(file, field);
  });
}
