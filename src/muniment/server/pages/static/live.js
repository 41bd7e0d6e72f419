// <m-live>: says that there is something new, without moving what is being read. Closed while nobody looks.

class Live extends HTMLElement {
  connectedCallback() {
    this.count = 0;
    this.last = Number(this.dataset.after || 0);
    this.bar = this.querySelector("[data-new]");
    this.mark = this.querySelector("[data-state]");
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
    // The browser itself comes back with the number of the last line; a new stream begins after what is known.
    this.stream = new EventSource(`${document.body.dataset.root}/live?after=${this.last}`);
    this.stream.addEventListener("open", () => this.say("live"));
    this.stream.addEventListener("error", () => this.say("stopped"));
    this.stream.addEventListener("event", (message) => {
      this.last = Number(message.lastEventId);
      this.count += 1;
      if (!this.bar) return;
      this.bar.hidden = false;
      this.bar.querySelector("[data-count]").textContent = String(this.count);
    });
  };

  say(state) {
    if (!this.mark || this.mark.dataset.state === state) return;
    this.mark.dataset.state = state;
    const moment = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(new Date());
    this.mark.textContent = state === "live" ? this.dataset.live : this.dataset.stopped.replace("{time}", moment);
  }
}

customElements.define("m-live", Live);
