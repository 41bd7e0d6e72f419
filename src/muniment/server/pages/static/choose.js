// <m-choose>: how many files and bytes are chosen. A folder that is opened has all, some or none of what is in it.

class Choose extends HTMLElement {
  connectedCallback() {
    this.total = this.querySelector("[data-total]");
    this.addEventListener("change", (event) => { if (event.target.type === "checkbox") this.changed(event.target); });
    this.addEventListener("m-opened", (event) => this.opened(event.target, event.detail));
    this.addEventListener("m-closed", (event) => this.closed(event.target));
    this.count();
  }

  boxOf(row) {
    return row?.querySelector("input[type=checkbox]");
  }

  depthOf(row) {
    return Number(row.dataset.depth ?? 0);
  }

  // What stands below a folder in the listing, at any depth.
  below(row) {
    const found = [];
    for (let next = row.nextElementSibling; next && this.depthOf(next) > this.depthOf(row); next = next.nextElementSibling) found.push(next);
    return found;
  }

  above(row) {
    let at = row;
    while (at && this.depthOf(at) >= this.depthOf(row)) at = at.previousElementSibling;
    return at;
  }

  opened(row, { whole }) {
    // Of a folder that is not here whole nobody can leave a part out: its box stands for all of it.
    row.dataset.part = whole ? "" : "part";
    if (this.boxOf(row)?.checked) this.spread(row, true);
    this.count();
  }

  closed(row) {
    const box = this.boxOf(row);
    if (box?.indeterminate) { box.indeterminate = false; box.checked = false; }
    this.count();
  }

  spread(row, checked) {
    for (const each of this.below(row)) {
      const box = this.boxOf(each);
      if (!box) continue;
      box.checked = checked;
      box.indeterminate = false;
      box.disabled = checked && this.partly(each);
    }
  }

  // Whether a row stands in a folder that is not here whole.
  partly(row) {
    for (let at = this.above(row); at; at = this.above(at)) if (at.dataset.part === "part") return true;
    return false;
  }

  changed(box) {
    const row = box.closest("tr");
    this.spread(row, box.checked);
    for (let at = this.above(row); at; at = this.above(at)) this.weigh(at);
    this.count();
  }

  // A folder is chosen where all in it is, and half chosen where some is.
  weigh(row) {
    const box = this.boxOf(row);
    const inside = this.below(row).filter((each) => this.depthOf(each) === this.depthOf(row) + 1).map((each) => this.boxOf(each)).filter(Boolean);
    const all = row.dataset.part !== "part" && inside.every((each) => each.checked);
    box.checked = all;
    box.indeterminate = !all && inside.some((each) => each.checked || each.indeterminate);
  }

  count() {
    let size = 0;
    let files = 0;
    for (const box of this.querySelectorAll("input[type=checkbox]:checked")) {
      const above = this.boxOf(this.above(box.closest("tr")));
      if (above?.checked) continue; // the folder counts it already
      size += Number(box.dataset.size);
      files += Number(box.dataset.files);
    }
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    const step = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), units.length - 1);
    const { lang } = document.documentElement;
    const shown = new Intl.NumberFormat(lang, { style: "unit", unit: units[step], maximumSignificantDigits: 3 }).format(size / 1000 ** step);
    this.total.textContent = files ? this.total.dataset.total.replace("{files}", files.toLocaleString(lang)).replace("{size}", shown) : "";
  }
}

customElements.define("m-choose", Choose);
