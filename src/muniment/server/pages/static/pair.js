// <m-pair>: two pictures side by side, looked at in the same place: what moves one moves the other.

const STEPS = ["", "twice", "four"];

class Pair extends HTMLElement {
  connectedCallback() {
    this.views = Array.from(this.querySelectorAll(".view"));
    this.step = 0;
    const tools = this.querySelector("[data-tools]");
    tools.hidden = false;
    tools.append(this.key(this.dataset.closer, 1), this.key(this.dataset.all, -STEPS.length));
    for (const view of this.views) view.addEventListener("scroll", () => this.follow(view), { passive: true });
  }

  key(label, by) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = label;
    button.addEventListener("click", () => this.turn(by));
    return button;
  }

  turn(by) {
    const [first] = this.views;
    const middle = (first.scrollLeft + first.clientWidth / 2) / first.scrollWidth;
    const centre = (first.scrollTop + first.clientHeight / 2) / first.scrollHeight;
    this.step = Math.min(Math.max(this.step + by, 0), STEPS.length - 1);
    for (const view of this.views) {
      view.classList.remove("twice", "four");
      if (STEPS[this.step]) view.classList.add(STEPS[this.step]);
      view.scrollTo(middle * view.scrollWidth - view.clientWidth / 2, centre * view.scrollHeight - view.clientHeight / 2);
    }
  }

  // In parts of the whole, since the two pictures need not have the same size.
  follow(view) {
    if (this.leading && this.leading !== view) return;
    this.leading = view;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => { this.leading = undefined; }, 150);
    const wide = Math.max(view.scrollWidth - view.clientWidth, 1);
    const high = Math.max(view.scrollHeight - view.clientHeight, 1);
    for (const other of this.views) {
      if (other === view) continue;
      other.scrollTo((view.scrollLeft / wide) * (other.scrollWidth - other.clientWidth), (view.scrollTop / high) * (other.scrollHeight - other.clientHeight));
    }
  }
}

customElements.define("m-pair", Pair);
