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

const parts = { "m-upload": "./upload.js", "m-live": "./live.js", "m-follow": "./follow.js", "m-digest": "./digest.js", "m-choose": "./choose.js", "m-copy": "./copy.js", "m-log": "./log.js", "m-viewer": "./viewer.js", "m-tree": "./tree.js", "m-part": "./part.js" };
for (const [name, place] of Object.entries(parts)) {
  if (document.querySelector(name)) import(place);
}
