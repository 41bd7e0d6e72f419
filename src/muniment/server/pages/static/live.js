// <m-live>: says that there is something new, without moving what is being read. Closed while nobody looks.

import { Watching } from "./watching.js";

class Live extends Watching {
  connectedCallback() {
    this.count = 0;
    this.last = Number(this.dataset.after || 0);
    this.bar = this.querySelector("[data-new]");
    this.mark = this.querySelector("[data-state]");
    this.watch();
  }

  opened() {
    // The browser itself comes back with the number of the last line; a new stream begins after what is known.
    const stream = new EventSource(`${document.body.dataset.root}/live?after=${this.last}`);
    stream.addEventListener("event", (message) => {
      this.last = Number(message.lastEventId);
      this.count += 1;
      if (!this.bar) return;
      this.bar.hidden = false;
      this.bar.querySelector("[data-count]").textContent = String(this.count);
    });
    return stream;
  }
}

customElements.define("m-live", Live);
