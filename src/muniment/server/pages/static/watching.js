// What live parts of a page have in common: a stream that is closed while nobody looks, and a word about its state.

export class Watching extends HTMLElement {
  // Of the class that extends this: `opened()` gives the stream, `mark` is where its state is said, if anywhere.

  watch() {
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
    this.stream = this.opened();
    this.stream.addEventListener("open", () => this.say("live"));
    this.stream.addEventListener("error", () => this.say("stopped"));
  };

  say(state) {
    if (!this.mark || this.mark.dataset.state === state) return;
    this.mark.dataset.state = state;
    const moment = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(new Date());
    this.mark.textContent = state === "live" ? this.dataset.live : this.dataset.stopped.replace("{time}", moment);
  }
}
