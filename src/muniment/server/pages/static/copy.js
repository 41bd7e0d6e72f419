// <m-copy>: a key that copies an id.

class Copy extends HTMLElement {
  connectedCallback() {
    if (!navigator.clipboard) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = this.dataset.label;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.dataset.text);
      button.textContent = this.dataset.done;
    });
    this.append(button);
  }
}

customElements.define("m-copy", Copy);
