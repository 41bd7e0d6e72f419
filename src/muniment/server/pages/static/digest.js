// <m-digest>: a file dropped here is digested in the browser, and the archive says where it holds it. Nothing is sent.
// So is one that is dropped on a field of search, on whichever page.

const LARGEST = 1 << 30; // WebCrypto digests only what is in memory

class Digest extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    this.says = this.querySelector("[role=status]");
    this.querySelector("input").addEventListener("change", (event) => this.look(event.target.files[0]));
    this.addEventListener("dragover", (event) => { event.preventDefault(); this.classList.add("over"); });
    this.addEventListener("dragleave", () => this.classList.remove("over"));
    this.addEventListener("drop", (event) => { event.preventDefault(); this.classList.remove("over"); this.look(event.dataTransfer.files[0]); });
  }

  async look(file) {
    if (!file) return;
    if (!canDigest(file)) { this.says.textContent = this.dataset.large; return; }
    this.says.textContent = this.dataset.reading;
    await lookUp(file);
  }
}

function canDigest(file) {
  return file.size <= LARGEST && globalThis.crypto?.subtle;
}

async function lookUp(file) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const digest = Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
  location.assign(`${document.body.dataset.root}/find?q=sha256:${digest}&kind=digest`);
}

// What cannot be digested is explained where files are looked for.
export function dropped(file, field) {
  if (!canDigest(file)) { location.assign(`${document.body.dataset.root}/find#digest`); return; }
  field.value = "…";
  lookUp(file);
}

customElements.define("m-digest", Digest);
