// <m-follow>: puts in place what changed of the work that a page shows, part by part. Closed while nobody looks.

class Follow extends HTMLElement {
  connectedCallback() {
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
    const root = document.body.dataset.root;
    this.stream = new EventSource(`${root}/live/jobs?job=${encodeURIComponent(this.dataset.job ?? "")}&after=${this.dataset.after}`);
    this.stream.addEventListener("open", () => this.say("live"));
    this.stream.addEventListener("error", () => this.say("stopped"));
    this.stream.addEventListener("change", (message) => this.fetch(message.lastEventId));
  };

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

  say(state) {
    const mark = this.querySelector("[data-state]");
    if (mark.dataset.state === state) return;
    mark.dataset.state = state;
    const moment = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(new Date());
    mark.textContent = state === "live" ? this.dataset.live : this.dataset.stopped.replace("{time}", moment);
  }
}

customElements.define("m-follow", Follow);
