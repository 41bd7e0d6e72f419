// <m-log>: adds the lines of a running log as they are written, by their numbers, so that a cut loses none.

import { localTimes } from "./muniment.js";

const KINDS = { problem: "l-warn", waiting: "l-warn", failed: "l-bad", finished: "l-ok" };
const KEPT = 2000;

class Log extends HTMLElement {
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
    document.addEventListener("visibilitychange", this.turn);
    this.turn();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.turn);
    this.stream?.close();
  }

  turn = () => {
    if (document.hidden) {
      this.stream?.close();
      this.stream = undefined;
      return;
    }
    if (this.stream) return;
    this.stream = new EventSource(`${this.dataset.stream}?after=${this.last}`);
    this.stream.addEventListener("open", () => this.say("live"));
    this.stream.addEventListener("error", () => this.say("stopped"));
    this.stream.addEventListener("line", (message) => this.add(JSON.parse(message.data)));
    this.stream.addEventListener("end", () => {
      this.stream.close();
      location.reload();
    });
  };

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

  say(state) {
    if (!this.mark || this.mark.dataset.state === state) return;
    this.mark.dataset.state = state;
    const moment = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(new Date());
    this.mark.textContent = state === "live" ? this.dataset.live : this.dataset.stopped.replace("{time}", moment);
  }
}

customElements.define("m-log", Log);
