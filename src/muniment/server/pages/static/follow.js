// <m-follow>: puts in place what changed of the work that a page shows, part by part. Closed while nobody looks.

import { renewParts } from "./parts.js";
import { Watching } from "./watching.js";

class Follow extends Watching {
  connectedCallback() {
    this.mark = this.querySelector("[data-state]");
    this.watch();
  }

  opened() {
    const root = document.body.dataset.root;
    const stream = new EventSource(`${root}/live/jobs?job=${encodeURIComponent(this.dataset.job ?? "")}&after=${this.dataset.after}${this.dataset.events === undefined ? "" : "&events=1"}`);
    stream.addEventListener("change", (message) => renewParts(() => (this.dataset.after = message.lastEventId)));
    return stream;
  }
}

customElements.define("m-follow", Follow);
