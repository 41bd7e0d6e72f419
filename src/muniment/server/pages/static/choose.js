// <m-choose>: how many files and bytes are chosen.

class Choose extends HTMLElement {
  connectedCallback() {
    this.total = this.querySelector("[data-total]");
    this.addEventListener("change", () => this.count());
    this.count();
  }

  count() {
    let size = 0;
    let files = 0;
    for (const box of this.querySelectorAll("input[type=checkbox]:checked")) {
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
