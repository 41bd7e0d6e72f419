// <m-part>: puts in place what a new event changed on a page, about one thing or about any. Closed while nobody looks.

import { renewParts } from "./parts.js";
import { Watching } from "./watching.js";

const QUIET = 500; // an audit or a repair says several things at once

class Part extends Watching {
  connectedCallback() {
    this.mark = this.querySelector("[data-state]");
    this.watch();
  }

  opened() {
    const stream = new EventSource(`${document.body.dataset.root}/live?after=${this.dataset.after}`);
    stream.addEventListener("event", (message) => {
      this.dataset.after = message.lastEventId;
      if (this.dataset.resource && JSON.parse(message.data).resource !== this.dataset.resource) return;
      this.soon ??= setTimeout(() => { this.soon = undefined; renewParts(); }, QUIET);
    });
    return stream;
  }
}

customElements.define("m-part", Part);
