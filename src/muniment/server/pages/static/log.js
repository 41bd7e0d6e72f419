// <m-log>: adds the lines of a running log as they are written, by their numbers, so that a cut loses none.

import { localTimes } from "./muniment.js";
import { renewParts } from "./parts.js";
import { Watching } from "./watching.js";

const KINDS = { problem: "l-warn", waiting: "l-warn", failed: "l-bad", finished: "l-ok" };
const KEPT = 2000;

class Log extends Watching {
  connectedCallback() {
    if (this.dataset.still !== undefined) return;
    this.last = Number(this.dataset.last);
    this.list = this.querySelector("ol");
    const card = this.closest("section");
    this.mark = card.querySelector("[data-state]");
    this.follow = card.querySelector("[data-follow]");
    this.list.addEventListener("wheel", (moved) => {
      if (moved.deltaY < 0 && this.follow) this.follow.checked = false;
    });
    this.watch();
  }

  opened() {
    const stream = new EventSource(`${this.dataset.stream}?changes=1&after=${this.last}`);
    stream.addEventListener("line", (message) => this.add(JSON.parse(message.data)));
    // The table above the log: how far each folder is.
    stream.addEventListener("change", () => renewParts());
    stream.addEventListener("end", () => {
      stream.close();
      location.reload();
    });
    return stream;
  }

  add(line) {
    if (line.number <= this.last) return;
    this.last = line.number;
    const item = document.createElement("li");
    item.id = `L${line.number}`;
    item.className = KINDS[line.kind] ?? "";
    const number = document.createElement("a");
    number.href = `?line=${line.number}#L${line.number}`;
    number.textContent = line.number;
    const when = document.createElement("span");
    const time = document.createElement("time");
    time.dateTime = new Date(line.at * 1000).toISOString();
    when.append(time);
    const text = document.createElement("span");
    if (line.folder) {
      const name = document.createElement("bdi");
      name.dir = "ltr";
      name.textContent = line.folder;
      text.append(name, ": ");
    }
    text.append(line.text);
    item.append(number, when, text);
    this.list.append(item);
    localTimes(item);
    // What scrolled out long ago is at its address; a page that stays open for days must not grow without end.
    if (this.list.children.length > KEPT) this.list.firstElementChild.remove();
    if (this.follow?.checked) this.list.scrollTop = this.list.scrollHeight;
  }
}

customElements.define("m-log", Log);
