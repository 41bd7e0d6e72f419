// <m-follow>: puts in place what changed of the work that a page shows, part by part. Closed while nobody looks.

import { Watching } from "./watching.js";

class Follow extends Watching {
  connectedCallback() {
    this.mark = this.querySelector("[data-state]");
    this.watch();
  }

  opened() {
    const root = document.body.dataset.root;
    const stream = new EventSource(`${root}/live/jobs?job=${encodeURIComponent(this.dataset.job ?? "")}&after=${this.dataset.after}`);
    stream.addEventListener("change", (message) => this.fetch(message.lastEventId));
    return stream;
  }

  // The page itself, read as a document: nothing in it runs, and there is no second way in which it is made.
  fetch(number) {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    request.addEventListener("load", () => {
      if (request.status !== 200 || !request.responseXML) return;
      this.dataset.after = number;
      this.put(request.responseXML);
    });
    request.send();
  }

  put(found) {
    for (const part of document.querySelectorAll("[data-part]")) {
      const other = found.getElementById(part.id);
      // What a reader is at stays as it is.
      if (!other || part.contains(document.activeElement) || part.textContent === other.textContent) continue;
      part.replaceWith(document.adoptNode(other));
    }
    document.dispatchEvent(new Event("m-new"));
  }
}

customElements.define("m-follow", Follow);
